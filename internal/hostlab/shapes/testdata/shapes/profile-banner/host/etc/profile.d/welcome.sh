echo "== vps-1 (production) =="
printf 'uptime: %s\n' "$(uptime -p 2>/dev/null)"
