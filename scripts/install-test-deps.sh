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
# The API's judge and a vendor's library are Python programs, kept in a folder of their own.
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

if [ "${#packages[@]}" -gt 0 ]; then
  echo "Installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo --preserve-env=DEBIAN_FRONTEND)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

for folder in tests/browser tests/sdk; do
  lock=$folder/package-lock.json
  stamp=$folder/node_modules/.installed-lock.json
  if ! cmp -s "$lock" "$stamp"; then
    npm ci --prefix "$folder" --no-audit --no-fund
    cp "$lock" "$stamp"
  fi
done

# Made anew when a version changes, or when the Python that it was made with is gone.
venv=tests/.venv
wanted=$(cat tests/sdk/requirements.txt tests/api/requirements.txt)
if [ "$wanted" != "$(cat "$venv/.installed-requirements" 2>/dev/null)" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/sdk/requirements.txt -r tests/api/requirements.txt
  echo "$wanted" >"$venv/.installed-requirements"
fi
