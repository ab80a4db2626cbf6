echo "Now using node v20.11.0 (npm v10.2.4)"
