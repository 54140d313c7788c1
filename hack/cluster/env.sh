#!/usr/bin/env bash
# Prints what makes a shell use the local cluster: eval "$(make -s env)"
PROGRAM=env
# shellcheck source=lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

[ -s "$ADMIN_KUBECONFIG" ] || die "no cluster at $STATE: run make cluster-up first"
printf 'export KUBECONFIG=%q\n' "$ADMIN_KUBECONFIG"
printf 'export PATH=%q:"$PATH"\n' "$STATE/path"
