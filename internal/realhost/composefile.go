package realhost

import (
	"strconv"
	"strings"
)

// composeFile is the stack as a team would write it, traps included:
//
//   - migrate runs on the api's image and the api waits for it, so `up` of the whole stack with the old image runs
//     the old migrations against the new schema, fails, and leaves the api created but not started;
//   - db is on a floating tag that the registry has newer, so a bare `pull` replaces the database;
//   - nothing says how many workers there are: three were asked for by hand, and a bare `up` takes two away.
const composeFile = `name: @project@

services:
  api:
    image: ${API_IMAGE}
    restart: unless-stopped
    environment:
      SECRET_KEY: ${SECRET_KEY}
      DATABASE_URL: ${DATABASE_URL}
    depends_on:
      migrate:
        condition: service_completed_successfully
      db:
        condition: service_started
    ports:
      - "127.0.0.1:@port@:8080"

  worker:
    image: ${WORKER_IMAGE}
    restart: unless-stopped
    environment:
      DATABASE_URL: ${DATABASE_URL}

  web:
    image: ${WEB_IMAGE:?}
    restart: unless-stopped

  migrate:
    image: ${API_IMAGE}
    command: ["migrate"]
    restart: "no"
    volumes:
      - schema:/schema

  db:
    image: @database@
    restart: unless-stopped
    volumes:
      - data:/data

volumes:
  schema:
  data:
`

func renderComposeFile(project, database string, port int) string {
	return strings.NewReplacer(
		"@project@", project,
		"@database@", database,
		"@port@", strconv.Itoa(port),
	).Replace(composeFile)
}
