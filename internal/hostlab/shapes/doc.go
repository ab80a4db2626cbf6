// Package shapes tries the product on the shapes that hosts of teams have, each a folder under testdata/shapes, on real
// hosts of three generations (internal/hostlab). It has tests alone.
//
// A shape is how a team has set its app up. The suite lays it on a host, deploys release v2 as the team does, and rolls back
// to v1 by the real binary: `plan`, then `run` with a lead's signature. Then it compares: the planned services run v1, and
// the team's own line once more changes nothing, so that the pins are v1's, too; everything else on the host is as it was.
//
// The folder has shape.json, see [Shape] in shape_test.go for its fields; app/, which becomes /opt/shop; and host/, which is
// laid over the root of the host. In files and in shape.json these are replaced: @registry@ by the registry's address, @ip@ by
// the host's, @api.v1@ by name@sha256:… of an image, @digest.api.v1@ by its digest alone; so for api, worker, web and db, v1
// and v2.
//
// What a shape says is right by what people in the field want, whatever the product does today. What it does wrong stands in
// testdata/known-failures, line by line; one that goes right fails the test until its line is removed.
//
// `make matrix` writes the result of a run on all generations to docs/hosts.md.
package shapes
