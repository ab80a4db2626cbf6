package config

import "strings"

func (r *reader) gitHub(env environment) GitHub {
	g := GitHub{URL: r.optionalAddress(env.GitHubURL)}
	if token := env.GitHubToken.text(); token != "" {
		g.Token = NewSecret(token)
	}
	if strings.ContainsAny(g.Token.Reveal(), " \t\r\n\"'") {
		r.problem(env.GitHubToken, "it has spaces or quotes in it", "give the token alone, as GitHub shows it once")
	}
	if g.URL != "" && g.Token.IsZero() {
		r.problem(env.GitHubURL, "it is set without ROLLBACK_GITHUB_TOKEN, so nothing would be done there", "give a token, or leave it out")
	}
	return g
}
