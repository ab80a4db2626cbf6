package runbooktest

import "rollbackbot/runbook"

var (
	NoSeries = &runbook.NoRateError{Why: "the query gave no series", Answered: true}
	NoAnswer = &runbook.NoRateError{Why: "connection refused"}
)
