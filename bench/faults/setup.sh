#!/bin/sh
# Sees to it that the programs named ("nginx,haproxy,varnish") are there to be measured: installs Debian's where it may, else says
# what to do.
set -eu
PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=
for program in $(echo "$1" | tr , ' '); do
    case "$program" in
        rimward) ;;
        varnish) command -v varnishd > /dev/null || missing="$missing $program" ;;
        *) command -v "$program" > /dev/null || missing="$missing $program" ;;
    esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "Installing what Rimward is compared with (apt-get install$missing)"
    export DEBIAN_FRONTEND=noninteractive
    # Debian starts what it installs, unless this program says no.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
    fi
    apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing > /dev/null && exit 0
fi
echo "error: missing:$missing" >&2
echo "  hint: install them (Debian: apt-get install$missing), or measure without them:" >&2
echo "        make faults PROGRAMS=rimward" >&2
exit 2
