#!/usr/bin/env bash
# import-image.sh TAR...: puts images (docker-archive files) into the local
# cluster. One that is there already with the same content is left alone.
PROGRAM=import-image
for file in common images; do
  # shellcheck source=/dev/null
  source "$(dirname "${BASH_SOURCE[0]}")/lib/$file.sh"
done

(($# > 0)) || die "usage: import-image.sh TAR..."
[ "$(id -u)" = 0 ] || die "needs root, for containerd: run it with sudo or as root"
ctr version >/dev/null 2>&1 || die "no cluster at $STATE: run make cluster-up first"
for tar in "$@"; do import_image "$tar"; done
