#!/bin/sh
# Find a Chromium that starts, for the browser tests, or install one; write its path
# into a file. usage: chromium.sh PYTHON FILE
# It never fails: without a browser it says why and what to do, and so do the tests.
set -u
python=$1
file=$2
log=$file.log

starts() {
  "$1" --headless --no-sandbox --version </dev/null >/dev/null 2>>"$log"
}

of_playwright() {
  "$python" -c '
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)'
}

find_one() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    path=$([ -n "$name" ] && command -v "$name") && starts "$path" && return 0
  done
  path=$(of_playwright 2>>"$log") && [ -x "$path" ] && starts "$path"
}

install() {
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium with apt-get (once; a minute) ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get -o Acquire::Retries=3 update -qq >>"$log" 2>&1
    apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends chromium \
      >>"$log" 2>&1
  else
    echo "Installing Chromium with playwright (once; a minute) ..." >&2
    "$python" -m playwright install chromium >>"$log" 2>&1
  fi
}

: >"$log"
if find_one || { install && find_one; }; then
  echo "$path" >"$file"
  rm -f "$log"
else
  rm -f "$file"
  {
    echo "There is no Chromium that starts, so the tests in tests/browser will fail."
    echo "  Debian, as root:  apt-get install chromium"
    echo "  elsewhere:        $python -m playwright install chromium"
    echo "                    (as root once, for its libraries: playwright install-deps)"
    echo "  or name one:      CHROMIUM=/path/to/chromium make test"
    echo "What was tried ($log):"
    tail -n 5 "$log"
  } >&2
fi
exit 0
