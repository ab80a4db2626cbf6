#!/usr/bin/env bash
# Random faults at high speed: processes killed and stopped, links cut, the
# database and Slack failing, leases spoiled, docker failing, while rollbacks
# run one after the other. docs/survival.md says what is looked at.
set -euo pipefail
cd "$(dirname "$0")/.."
export ROLLBACKBOT_FAULTS=${DURATION:-1h}
export ROLLBACKBOT_FAULTS_SEED=${SEED:-}
export ROLLBACKBOT_FAULTS_STORE=${STORE:-postgresql}
export ROLLBACKBOT_FAULTS_REPLICAS=${REPLICAS:-1}
export ROLLBACKBOT_FAULTS_KINDS=${KINDS:-}
export ROLLBACKBOT_FAULTS_RACE=${RACE:-}
export ROLLBACKBOT_FAULTS_FOLDER=${FOLDER:-}
# Everything in the test has a limit of its own.
exec go test -run '^TestFaults_AnHour$' -count 1 -timeout 0 -v ./cmd/rollbackbot
