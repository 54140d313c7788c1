#!/usr/bin/env bash
# run.sh [PART...]: measures parts, or all, and leaves the figures in _output/
# as bench.json and bench.md. Parts on the local cluster bring it up and install
# the mesh as it is in this tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ "$(id -u)" = 0 ] || { echo "bench: needs root, for network namespaces: run it with sudo or as root" >&2; exit 1; }
MESH_ENVOY=$(hack/images/envoy.sh)
export MESH_ENVOY
hack/cluster/build.sh >/dev/null
mkdir -p _output
go -C hack/bench build -o ../../_output/bench .
case " ${*:-policy pods} " in
*" policy "*|*" pods "*)
  make --no-print-directory cluster-up >&2
  make --no-print-directory images >&2
  eval "$(make -s --no-print-directory env)"
  IMAGE_ID=$(sha256sum _output/images/mesh-apiserver.tar | cut -c1-16) artifacts/deploy/install.sh hack/cluster/deploy >&2
  ;;
esac
exec _output/bench -json _output/bench.json -table _output/bench.md "$@"
