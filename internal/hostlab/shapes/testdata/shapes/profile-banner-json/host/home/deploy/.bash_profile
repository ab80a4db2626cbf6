echo '{"name": "other", "services": {}}'
echo status=0
