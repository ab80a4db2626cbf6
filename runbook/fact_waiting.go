package runbook

// Facts about a question that nobody answers: who was written to about it, and who is asked as time goes by. Each is
// written before anybody is told.
type (
	// Addressed says who are written to privately about a question: the members of a role as they were when they were asked.
	Addressed struct {
		Question int64    `json:"question"`
		Role     Role     `json:"role"`
		People   []string `json:"people"` // Slack IDs; none where it could not be read who they are
	}
	// Reminded says that nobody had answered a question after a third of its time.
	Reminded struct {
		Question int64 `json:"question"`
	}
	// DeputiesAsked lets the deputies sign off from now on.
	DeputiesAsked struct {
		Question int64 `json:"question"`
	}
	// BreakGlassOpened lets two requesters together sign off from now on.
	BreakGlassOpened struct {
		Question int64 `json:"question"`
	}
	// HalfSigned is one of the two signatures that stand in for a lead's. It takes the place of the same person's former one.
	HalfSigned struct {
		Question int64  `json:"question"`
		Answer   Answer `json:"answer"`
		By       string `json:"by"`
		Plan     string `json:"plan"`
		Reason   string `json:"reason"` // masked and bounded; never empty
	}
	// NoticeSettled says that a message shows for good what it has to show, or that the person whom it is for can't be
	// written to. No later process brings it up to date again.
	NoticeSettled struct {
		Key string `json:"key"`
	}
)

// Role is what makes somebody one to be asked.
type Role string

// The roles that are asked to sign off.
const (
	RoleLead   Role = "lead"
	RoleDeputy Role = "deputy"
)

func (Addressed) Kind() string        { return "addressed" }
func (Reminded) Kind() string         { return "reminded" }
func (DeputiesAsked) Kind() string    { return "deputies_asked" }
func (BreakGlassOpened) Kind() string { return "break_glass_opened" }
func (HalfSigned) Kind() string       { return "half_signed" }
func (NoticeSettled) Kind() string    { return "notice_settled" }
