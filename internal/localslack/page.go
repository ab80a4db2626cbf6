package localslack

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// The page is plain HTML, CSS and JavaScript; what a browser test may hold on to are its data attributes:
//
//	data-testid="message" with data-ts, data-user, data-private      a message, in the channel and in the thread
//	data-testid="action" with data-action-id, data-block-id, data-value   a button in a message, form or Home tab
//	data-testid="field" with data-action-id, data-block-id           an input or select, wherever it stands
//	data-testid="composer", "send", "thread-composer", "thread-send"  the boxes to type in
//	data-testid="person" with data-user                              one choice of "You are"; aria-pressed on the chosen one
//	data-testid="channel" with data-channel; "app"                   the list at the left
//	data-testid="open-thread", "thread", "close-thread"              threads
//	data-testid="modal" with data-view-id, data-callback-id; "modal-submit", "modal-cancel"
//	data-testid="field-error" with data-block-id                     what is wrong with a field
//	data-testid="confirm", "confirm-yes", "confirm-no"               the question before an action
//	data-testid="panel-open", "panel", "panel-close", "panel-now"; "panel-item" with data-item; "panel-button" with data-button
//	data-testid="window" with data-user                              the link that opens another window as a person
//	data-testid="banner", "suggestion", "toast", "dismiss", "status"
//
//go:embed page
var pageFiles embed.FS

// pageRoutes adds the page and what it talks to.
func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /archives/{channel}/{message}", s.servePage) // permalinks
	mux.HandleFunc("GET /page/static/{name}", s.guarded(s.serveStatic))
	mux.HandleFunc("GET /page/file/{id}", s.guarded(s.serveFile))
	mux.HandleFunc("GET /page/events", s.guarded(s.serveEvents))
	mux.HandleFunc("POST /page/do", s.guarded(s.serveDo))
}

// guarded lets only the page itself in.
func (s *Server) guarded(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.requirePage(w, r) {
			serve(w, r)
		}
	}
}

func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	if s.letIn(w, r) {
		s.serveEmbedded(w, r, "index.html")
	}
}

func (s *Server) serveStatic(w http.ResponseWriter, r *http.Request) {
	s.serveEmbedded(w, r, r.PathValue("name"))
}

// serveEmbedded serves a file of the page. It is never cached: the next program on this port may be another version.
func (s *Server) serveEmbedded(w http.ResponseWriter, r *http.Request, name string) {
	content, err := fs.ReadFile(pageFiles, "page/"+name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

// serveFile serves an uploaded file, only pictures and text as what they are.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.world.files[r.PathValue("id")]
	s.mu.Unlock()
	if f == nil || !f.shared {
		http.NotFound(w, r)
		return
	}
	kind := "application/octet-stream"
	if strings.HasPrefix(f.MIME, "text/") {
		kind = "text/plain; charset=utf-8"
	}
	switch f.MIME {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		kind = f.MIME
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(f.Content)
}
