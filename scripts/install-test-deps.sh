#!/usr/bin/env bash
# Installs what `make test` needs beyond Rust. Looks first: a second run changes nothing and needs no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=()
# The console's test is driven from Node.js.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
# The store's test watches the system calls that make an acknowledgement durable.
command -v strace >/dev/null || packages+=(strace)
# SQLite and the TLS library are built from source.
command -v cc >/dev/null || packages+=(build-essential)
# The console's test opens every page in a real browser.
[ -x /usr/bin/chromium ] || packages+=(chromium)

if [ "${#packages[@]}" -gt 0 ]; then
  echo "Installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo --preserve-env=DEBIAN_FRONTEND)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

lock=tests/browser/package-lock.json
stamp=tests/browser/node_modules/.installed-lock.json
if ! cmp -s "$lock" "$stamp"; then
  npm ci --prefix tests/browser --no-audit --no-fund
  cp "$lock" "$stamp"
fi
