#!/usr/bin/env bash
# go-build.sh WHAT ARGUMENTS...: runs `go build ARGUMENTS` and says how far it is
# with WHAT, every 100 packages that it compiles. With a warm cache it is silent.
set -euo pipefail
what=$1
shift
CGO_ENABLED=0 go build -v "$@" 2>&1 | awk -v what="$what" '
  /^[^ :#]+$/ { if (++n % 100 == 0) { printf "%s: %d packages compiled\n", what, n; fflush() }; next }
  { print }' >&2
