package runbook

import "time"

// Facts about what comes after a rollback: what the failed containers had printed, who investigates, and the ticket.
type (
	// LogsRead is what the containers that are to be replaced printed last, kept for the postmortem.
	LogsRead struct {
		Host     Host          `json:"host"`
		Services []ServiceLogs `json:"services"`
		Problem  string        `json:"problem,omitempty"` // why the host's logs could not be read; then Services is empty
	}
	// OwnerAsked asks somebody to accept the follow-up: who was named in the request, then whoever it is handed over to.
	OwnerAsked struct {
		Owner    string    `json:"owner"`        // Slack ID
		By       string    `json:"by,omitempty"` // who handed it over; empty: the request named them
		RemindAt time.Time `json:"remind_at"`    // journalled instants: a restart does not prolong them
		TellAt   time.Time `json:"tell_at"`
	}
	// OwnerAccepted says that the owner has taken the follow-up on.
	OwnerAccepted struct {
		Owner string `json:"owner"`
	}
	// OwnerReminded says that the owner had not accepted by the time to be reminded.
	OwnerReminded struct {
		Owner string `json:"owner"`
	}
	// OwnerOverdue says that the owner had not accepted after the reminder either: who asked, and the leads, are told.
	OwnerOverdue struct {
		Owner string `json:"owner"`
	}
	// TicketIntended is written before the postmortem's ticket is opened.
	TicketIntended struct{}
	// TicketOpened says where the ticket is.
	TicketOpened struct {
		Number   int    `json:"number"`
		URL      string `json:"url"`
		Owner    string `json:"owner"`              // whom it names as the owner: a Slack ID
		Accepted bool   `json:"accepted,omitempty"` // and whether it says that they have accepted
		Assignee string `json:"assignee,omitempty"` // their account there; empty: not known
	}
	// TicketForgone says that there is no ticket, and why; the postmortem's text stands in the record's thread instead.
	TicketForgone struct {
		Why string `json:"why"`
	}
	// TicketUpdated says that the ticket tells by now who has the follow-up, or why it could not be brought to.
	TicketUpdated struct {
		Owner    string `json:"owner"`
		Accepted bool   `json:"accepted,omitempty"`
		Assignee string `json:"assignee,omitempty"`
		Problem  string `json:"problem,omitempty"`
	}
)

// ServiceLogs is what one service's containers printed last on one host.
type ServiceLogs struct {
	Service string `json:"service"`
	Lines   string `json:"lines"`             // masked and bounded
	Problem string `json:"problem,omitempty"` // why they could not be read
}

func (LogsRead) Kind() string       { return "logs_read" }
func (OwnerAsked) Kind() string     { return "owner_asked" }
func (OwnerAccepted) Kind() string  { return "owner_accepted" }
func (OwnerReminded) Kind() string  { return "owner_reminded" }
func (OwnerOverdue) Kind() string   { return "owner_overdue" }
func (TicketIntended) Kind() string { return "ticket_intended" }
func (TicketOpened) Kind() string   { return "ticket_opened" }
func (TicketForgone) Kind() string  { return "ticket_forgone" }
func (TicketUpdated) Kind() string  { return "ticket_updated" }
