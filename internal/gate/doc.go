// Package gate is the gate for pipelines over HTTP, both ends of it: a Handler beside a running bot, and the Client of
// the commands `deployed` and `allowed` away from the bot's machine.
//
//	POST /v1/apps/APP/deployments   notes a release: the fields of `deployed` as JSON
//	GET  /v1/images/sha256:…        asks whether an image may be deployed
//
// Both want "Authorization: Bearer TOKEN". Every answer is one JSON object:
//
//	200 {"allowed": true, "digest": "sha256:…"}
//	201 {"id": "r-…", "images": {…}, …}            the release as it was noted
//	400 {"problems": ["…", "…"]}                   all that is wrong with what was sent
//	401 {"problems": ["…"]}                        no token, or another one
//	403 {"problems": ["…"]}                        the bot has no token, so these routes are switched off
//	404 {"problems": ["…"]}                        there is no such app, or no such route
//	413 {"problems": ["…"]}                        more than 64 KiB were sent
//	423 {"allowed": false, "quarantined": [{"image": "…", "app": "…", "rollback": "…"}], "problems": ["…"]}
//	503 {"problems": ["…"]}                        it can't be judged: the journal is out of reach
//
// Whoever asks takes anything but 200 and 201 as no.
package gate
