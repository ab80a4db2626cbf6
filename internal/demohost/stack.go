package demohost

import (
	"fmt"
	"strings"

	"rollbackbot/runbook"
)

const (
	app             = "shop"
	composeFileName = "infra/docker-compose.prod.yml" // as in step 2 of the runbook
)

// composeText is the stack as a team would write it. migrate runs on the api's image, so a rollback that brings up
// the whole stack would run the old migrations against the new schema; db is on a floating tag; the worker runs twice.
const composeText = `name: shop

services:
  api:
    image: ${API_IMAGE:?pin it in infra/.env}
    restart: unless-stopped
    environment:
      SECRET_KEY: ${SECRET_KEY:?}
      DATABASE_URL: ${DATABASE_URL:?}
      LOG_LEVEL: ${LOG_LEVEL:-info}
    depends_on:
      migrate:
        condition: service_completed_successfully
      db:
        condition: service_started
    ports:
      - "127.0.0.1:${API_PORT}:8080"

  worker:
    image: ${WORKER_IMAGE:?pin it in infra/.env}
    restart: unless-stopped
    deploy:
      replicas: 2
    environment:
      DATABASE_URL: ${DATABASE_URL:?}
    depends_on:
      db:
        condition: service_started

  web:
    image: ${WEB_IMAGE:?pin it in infra/.env}
    restart: unless-stopped
    depends_on:
      api:
        condition: service_started

  migrate:
    image: ${API_IMAGE:?pin it in infra/.env}
    command: ["migrate"]
    restart: "no"
    environment:
      DATABASE_URL: ${DATABASE_URL:?}
    depends_on:
      db:
        condition: service_started

  db:
    image: postgres:16-alpine
    restart: unless-stopped
    volumes:
      - data:/var/lib/postgresql/data

volumes:
  data:
`

// SecretValue stands in the host's environment file as SECRET_KEY and in DATABASE_URL. It may show up in no message,
// log or record.
const SecretValue = "c0rrect-h0rse-battery-staple"

// envText is the environment file beside the compose file, without its pins.
func envText(port int) string {
	return fmt.Sprintf(`# Production settings of the shop. Not in git!
SECRET_KEY=%[1]s
DATABASE_URL="postgres://shop:%[1]s@db/shop?sslmode=disable"   # the internal network
API_PORT=%[2]d

# --- pins: CI writes them at each deployment ---
`, SecretValue, port)
}

// App is the shop as the bot is told of it, but for its waiting times (the budget of its health checks, the window of
// its error rate, how long until a release is known-good), which are the caller's to choose.
func (h *Host) App() runbook.App {
	a := runbook.App{
		Name: app, Hosts: []runbook.Host{h.Host}, Dir: h.Dir, ComposeFiles: []string{composeFileName},
		Docker: []string{"docker"}, Compose: []string{"docker", "compose"},
		Health: runbook.Health{URLs: []string{h.HealthURL}},
	}
	for _, service := range services {
		a.Services = append(a.Services, runbook.Service{Name: service, Variable: variable(service)})
	}
	return a
}

func variable(service string) string { return strings.ToUpper(service) + "_IMAGE" }
