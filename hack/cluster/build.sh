#!/usr/bin/env bash
# Builds Kubernetes's programs if needed and prints the directory that holds
# them (kube-apiserver, etcd, kubectl, ...), for tests that start their own.
PROGRAM=cluster-build
for file in common preflight build; do
  # shellcheck source=/dev/null
  source "$(dirname "${BASH_SOURCE[0]}")/lib/$file.sh"
done
trap 'rm -rf "${BUILDING:-}"' EXIT

check_tools
build_needs | need_space
build >&2
echo "$BUILT"
