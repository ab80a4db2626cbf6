package gate

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"rollbackbot/runbook"
	"rollbackbot/runbook/history"
)

// Handler answers pipelines. It only reads the journal and appends deployment notes, which need no ownership, so that
// every process of the bot may answer, also one that stands by. Its methods may be called from any goroutine.
type Handler struct {
	Apps    []runbook.App
	Journal runbook.Journal
	Token   string // what pipelines have to show; empty: these routes are switched off
	Log     zerolog.Logger
}

const (
	// maxBody is far above any note: a hundred services take 20 KiB.
	maxBody = 64 << 10
	// journalTimeout bounds what the journal may take, below the HTTP server's own limit, so that who asks is told.
	journalTimeout = 4 * time.Second
)

// Register adds the gate's routes.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/apps/{app}/deployments", h.behindToken(h.noteDeployment))
	mux.HandleFunc("GET /v1/images/{digest}", h.behindToken(h.image))
	mux.HandleFunc("/v1/", h.behindToken(func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusNotFound, "there are POST /v1/apps/APP/deployments and GET /v1/images/sha256:… here, and nothing else")
	}))
}

// behindToken lets through who shows the token. Without a token it is 403 and not 404: the routes are there, and
// somebody has to switch them on.
func (h *Handler) behindToken(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case h.Token == "":
			problem(w, http.StatusForbidden, "this is switched off: give the bot a ROLLBACK_HTTP_TOKEN, and show it as \"Authorization: Bearer …\"")
		case !h.shown(r):
			h.Log.Warn().Str("from", r.RemoteAddr).Str("path", r.URL.Path).Msg("a request without the right token was refused")
			w.Header().Set("WWW-Authenticate", `Bearer realm="rollbackbot"`)
			problem(w, http.StatusUnauthorized, "show the bot's ROLLBACK_HTTP_TOKEN as \"Authorization: Bearer …\"")
		default:
			ctx, cancel := context.WithTimeout(r.Context(), journalTimeout)
			defer cancel()
			next(w, r.WithContext(ctx))
		}
	}
}

// shown compares in constant time. Hashes are compared, since how long the token is would show otherwise.
func (h *Handler) shown(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(h.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// image answers whether an image may be deployed, whatever its name: no app has its digest quarantined.
func (h *Handler) image(w http.ResponseWriter, r *http.Request) {
	digest, err := runbook.ParseDigest(r.PathValue("digest"))
	if err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	apps, err := h.Journal.Apps(r.Context())
	if err == nil {
		err = history.Allowed(r.Context(), h.Journal, apps, runbook.Image{Digest: digest})
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	yes := true
	write(w, http.StatusOK, answer{Allowed: &yes, Digest: digest})
}

func (h *Handler) noteDeployment(w http.ResponseWriter, r *http.Request) {
	app, known := h.app(r.PathValue("app"))
	if !known {
		problem(w, http.StatusNotFound, (&runbook.UnknownAppError{Name: runbook.Truncate(r.PathValue("app"), 100), Apps: h.names()}).Error())
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a note has at most %d KiB", maxBody>>10))
		return
	case err != nil:
		problem(w, http.StatusBadRequest, "what was sent did not arrive as a whole")
		return
	}
	note, err := decodeNote(body, app)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	release, err := history.NoteDeployment(r.Context(), h.Journal, app, note)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.Log.Info().Str("app", app.Name).Str("release", release.ID).Str("version", release.Version).Str("from", r.RemoteAddr).Msg("a deployment was noted")
	write(w, http.StatusCreated, release)
}

// fail answers an error: what was sent is wrong, or quarantined, or the journal was out of reach.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var note *runbook.NoteError
	blocked := refusals(err)
	switch {
	case errors.As(err, &note):
		problem(w, http.StatusBadRequest, note.Problems...)
	case len(blocked) > 0:
		write(w, http.StatusLocked, locked(blocked))
	default:
		h.Log.Error().Err(err).Str("path", r.URL.Path).Msg("a pipeline could not be answered")
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "it can't be judged just now: "+runbook.Mask(err.Error()))
	}
}

func (h *Handler) app(name string) (runbook.App, bool) {
	for _, app := range h.Apps {
		if app.Name == name {
			return app, true
		}
	}
	return runbook.App{}, false
}

func (h *Handler) names() []string {
	var names []string
	for _, app := range h.Apps {
		names = append(names, app.Name)
	}
	return names
}
