export REGION=eu-1
