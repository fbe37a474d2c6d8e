#!/bin/sh
# Sees to it that there is a Chromium for the browser tests: installs Debian's where it may, else says what to do.
set -eu
for program in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$program" ] && command -v "$program" > /dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "Installing Chromium (apt-get install chromium)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update && apt-get -qq install -y chromium > /dev/null && exit 0
fi
echo "error: the browser tests need Chromium, which is not installed" >&2
echo "  hint: install it (Debian: apt-get install chromium), or name the program in CHROMIUM" >&2
exit 2
