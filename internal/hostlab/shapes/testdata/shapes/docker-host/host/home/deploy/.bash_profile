export DOCKER_HOST=unix:///run/engine.sock
