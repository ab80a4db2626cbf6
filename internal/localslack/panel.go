package localslack

import (
	"errors"
	"slices"
)

// Panel is a list of things that the program behind this Slack offers beside the conversations, each with buttons. It
// opens by a button at the top of the page. The zero Panel is none.
type Panel struct {
	Title string // of the panel, and of the button that opens it
	Text  string // what it is for
	Now   string // what happens at the moment; "" for nothing
	Busy  bool   // no button can be pressed
	Items []PanelItem
}

// PanelItem is one thing that is offered.
type PanelItem struct {
	ID      string
	Title   string
	Text    string
	Steps   []string // what one does, in order; shown while the item is the current one
	Current bool
	Buttons []PanelButton
}

// PanelButton is what one can press in an item.
type PanelButton struct {
	ID    string `json:"id"` // unique in the panel: what the handler is given
	Label string `json:"label"`
}

type pagePanel struct {
	Title string          `json:"title"`
	Text  string          `json:"text"`
	Now   string          `json:"now"`
	Busy  bool            `json:"busy"`
	Items []pagePanelItem `json:"items"`
}

type pagePanelItem struct {
	ID      string        `json:"id"`
	Title   string        `json:"title"`
	Text    string        `json:"text"`
	Steps   []string      `json:"steps"`
	Current bool          `json:"current"`
	Buttons []PanelButton `json:"buttons"`
}

// WithPressed says who is told of a button of the panel, by its ID. It is called without locks and must return at once.
func WithPressed(pressed func(button string)) Option { return func(o *options) { o.pressed = pressed } }

// SetPanel replaces the panel.
func (s *Server) SetPanel(p Panel) {
	p.Items = slices.Clone(p.Items)
	s.change(func() { s.opts.panel = p })
}

// Panel is the panel as it is shown now.
func (s *Server) Panel() Panel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opts.panel
}

// SetPeople replaces the choices of the page's "You are" switch.
func (s *Server) SetPeople(people ...Person) { s.change(func() { s.opts.people = people }) }

// Press presses a button of the panel. An error when there is none, or when the panel is busy.
func (s *Server) Press(button string) error {
	s.mu.Lock()
	panel, pressed := s.opts.panel, s.opts.pressed
	s.mu.Unlock()
	there := slices.ContainsFunc(panel.Items, func(i PanelItem) bool {
		return slices.ContainsFunc(i.Buttons, func(b PanelButton) bool { return b.ID == button })
	})
	switch {
	case pressed == nil || !there:
		return errors.New("there is no such button any more")
	case panel.Busy:
		return errors.New("something is under way, in a moment again")
	}
	pressed(button)
	return nil
}

// panelModel is the panel for the page; nil where there is none. It is called under the lock.
func (s *Server) panelModel() *pagePanel {
	p := s.opts.panel
	if p.Title == "" {
		return nil
	}
	out := &pagePanel{Title: p.Title, Text: p.Text, Now: p.Now, Busy: p.Busy, Items: []pagePanelItem{}}
	for _, i := range p.Items {
		out.Items = append(out.Items, pagePanelItem{
			ID: i.ID, Title: i.Title, Text: i.Text, Steps: orEmpty(i.Steps), Current: i.Current, Buttons: append([]PanelButton{}, i.Buttons...),
		})
	}
	return out
}
