# The commands of this repository. `make parts` is the only one that installs
# anything, and the only one that needs root.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: build test crash faults cuts lint fuzz bench parts hosts matrix sample law demo screenshots image clean

# What `rollbackbot version` says.
VERSION := $(or $(shell git describe --always --dirty 2>/dev/null),unversioned)
export VERSION

build: ## the static binary ./rollbackbot
	scripts/build.sh rollbackbot

test: ## gofmt, go vet and every test; a test that lacks a part is skipped, or fails with CI=true
	scripts/test.sh

crash: ## kills the bot at the points of a rollback and prints what was lost; ALL=1 at all of them, in half an hour
	scripts/crash.sh

lint: ## go vet, staticcheck, govulncheck
	scripts/lint.sh

fuzz: ## every fuzz target for FUZZTIME, by default 5s
	scripts/fuzz.sh

bench: ## every benchmark, one after the other; needs what `make parts` brings
	set -o pipefail; go test -p 1 -run '^$$' -bench . -benchtime $${BENCHTIME:-1x} -timeout 30m ./... | tee bench.out

faults: ## random faults for DURATION (1h), as SEED decides; STORE=postgresql or sqlite, REPLICAS=2, KINDS=kill,cut,…
	scripts/faults.sh

cuts: ## CUTS times, by default 20, the link to the host is cut in the midst of pulling and of `up`; needs what `make parts` brings
	ROLLBACKBOT_TEST_CUTS=$${CUTS:-20} go test -count=1 -v -run TestLink_Cut -timeout 30m ./cmd/rollbackbot

parts: ## as root on Debian 12: the engine, Compose, sshd, Prometheus, Chromium and Node packages for the tests
	scripts/parts.sh

hosts: ## as root on Debian: root file systems of three generations of hosts, for the tests of internal/hostlab; SUITES="trixie sid" builds these
	scripts/hosts.sh $(SUITES)

matrix: ## every shape on every host that `make hosts` built; the table goes into docs/hosts.md
	ROLLBACKBOT_HOSTS=1 go test -count=1 -timeout 120m -run '^TestShapes$$' ./internal/hostlab/shapes -matrix $(CURDIR)/docs/hosts.md

sample: ## as CI does: each sixth shape, some drawn ones and init, on the hosts that `make hosts` built; some minutes
	ROLLBACKBOT_HOSTS=1 go test -count=1 -timeout 60m -parallel 3 -run '^(TestShapes|TestInit|TestLaw)$$' ./internal/hostlab/shapes -every 6 -drawn-from 1

law: ## SHAPES, by default 300, drawn shapes on the hosts that `make hosts` built, as SEED decides; the law of docs/hosts.md has to hold on each
	ROLLBACKBOT_HOSTS=1 go test -count=1 -timeout 180m -run '^TestLaw$$' -v ./internal/hostlab/shapes -drawn $${SHAPES:-300} -drawn-from $${SEED:-0}

demo: ## the whole product on embedded parts; ARGS=--headless plays it in the terminal
	go run ./cmd/rollbackbot demo $(ARGS)

screenshots: ## plays the demo in Chromium and has Prometheus watch a rollback, and takes the pictures of README and docs from there
	mkdir -p docs/images; rm -rf screenshots; mkdir screenshots
	ROLLBACKBOT_SCREENSHOTS=$(CURDIR)/screenshots go test -count=1 -run 'TestDemo_|TestPrometheus' ./cmd/rollbackbot
	scripts/pictures.sh screenshots docs/images
	cp screenshots/error-rate-recovers.png docs/images/error-rate.png

image: ## the container image
	docker build --build-arg VERSION=$(VERSION) -t rollbackbot:$(VERSION) .

clean: ## what build and bench leave behind
	rm -f rollbackbot bench.out; rm -rf screenshots
