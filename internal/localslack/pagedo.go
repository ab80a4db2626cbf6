package localslack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// deed is one thing that a person does on the page.
type deed struct {
	Do      string                    `json:"do"`
	As      string                    `json:"as"`
	Channel string                    `json:"channel"`
	Thread  string                    `json:"thread"`
	TS      string                    `json:"ts"`
	Text    string                    `json:"text"`
	View    string                    `json:"view"`
	Block   string                    `json:"block"`
	Action  string                    `json:"action"`
	Chosen  any                       `json:"chosen"`
	Private bool                      `json:"private"`
	Values  map[string]map[string]any `json:"values"`
}

// outcome is what the page shows at once; everything else comes as events.
type outcome struct {
	Notice string            `json:"notice,omitempty"`
	Errors map[string]string `json:"errors,omitempty"`
}

// serveDo does what the page asks for. Besides the cookie it wants JSON, which other pages can't send here without
// asking first, and being refused.
func (s *Server) serveDo(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "JSON only", http.StatusUnsupportedMediaType)
		return
	}
	var d deed
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&d); err != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	// A person who closes the page has clicked all the same.
	ack, err := s.do(context.WithoutCancel(r.Context()), d)
	writeJSON(w, http.StatusOK, outcomeOf(ack, err))
}

func (s *Server) do(ctx context.Context, d deed) (Ack, error) {
	switch d.Do {
	case "send":
		return s.send(ctx, d)
	case "act":
		return s.act(ctx, d.As, d.Channel, d.TS, d.Private, aim{block: d.Block, action: d.Action, chosen: d.Chosen, typed: d.Values})
	case "act_in_view":
		return s.actInView(ctx, d.As, d.View, aim{block: d.Block, action: d.Action, chosen: d.Chosen}, d.Values)
	case "submit":
		return s.Submit(ctx, d.As, d.View, d.Values)
	case "cancel":
		return s.Cancel(ctx, d.As, d.View)
	case "home":
		return s.OpenHome(ctx, d.As)
	case "messages":
		return s.openTab(ctx, d.As, "messages")
	case "press":
		return Ack{}, s.Press(d.Action)
	case "dismiss":
		s.change(func() {
			s.world.privates = filter(s.world.privates, func(m *Message) bool { return m.For != d.As || m.TS != d.TS })
		})
		return Ack{}, nil
	}
	return Ack{}, errors.New("not understood")
}

// send sends what stands in the box: a command or a message.
func (s *Server) send(ctx context.Context, d deed) (Ack, error) {
	text := strings.TrimSpace(d.Text)
	switch {
	case text == "":
		return Ack{}, nil
	case !strings.HasPrefix(text, "/"):
		_, err := s.Say(d.As, d.Channel, d.Thread, text)
		return Ack{}, err
	case d.Thread != "":
		command, _, _ := strings.Cut(text, " ")
		return Ack{Notice: command + " is not supported in threads. Sorry!"}, nil
	}
	return s.Command(ctx, d.As, d.Channel, text)
}

// outcomeOf is what the person is told at once. What stands in a message to them already isn't said twice.
func outcomeOf(ack Ack, err error) outcome {
	out := outcome{Notice: ack.Notice, Errors: ack.Errors}
	if len(ack.Shown) > 0 {
		out.Notice = ""
	}
	var incomplete *IncompleteError
	switch {
	case errors.As(err, &incomplete):
		out.Errors = incomplete.Fields
	case err != nil && out.Notice == "" && len(ack.Shown) == 0:
		out.Notice = "That didn't work: " + err.Error()
	}
	return out
}
