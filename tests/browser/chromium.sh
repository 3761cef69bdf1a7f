#!/bin/sh
# Find a Chromium for the browser tests, or install one; write its path into a file.
# usage: chromium.sh PYTHON FILE
# It never fails: without a browser the file says why, and so do the tests.
set -u
python=$1
file=$2

installed() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && command -v "$name" && return 0
  done
  "$python" - <<'END'
from pathlib import Path
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    path = Path(playwright.chromium.executable_path)
    if not path.exists():
        raise SystemExit(1)
    print(path)
END
}

install() {
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium with apt-get (once; a minute) ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    for attempt in 1 2 3; do
      apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium && return 0
      sleep $((attempt * 5))
    done
    return 1
  fi
  echo "Installing Chromium with playwright (once; a minute) ..." >&2
  "$python" -m playwright install chromium
}

if path=$(installed 2>/dev/null) && [ -n "$path" ]; then
  echo "$path" > "$file"
elif install > "$file.log" 2>&1 && path=$(installed 2>/dev/null) && [ -n "$path" ]; then
  echo "$path" > "$file"
else
  {
    echo "No Chromium: the browser tests will fail. Install it (Debian: apt-get install"
    echo "chromium; elsewhere: playwright install chromium), or name one in CHROMIUM."
    tail -n 5 "$file.log" 2>/dev/null
  } | tee "$file.missing" >&2
  rm -f "$file"
fi
exit 0
