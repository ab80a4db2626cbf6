package runbook

// Links leads to pages about the source.
type Links interface {
	// CompareURL is the page that shows what changed in a repository "owner/name" between two commits; "" where there is
	// none. It calls nobody.
	CompareURL(repository, base, head string) string
}
