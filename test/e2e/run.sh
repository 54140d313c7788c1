#!/usr/bin/env bash
# run.sh [GO TEST FLAG...]: brings the local cluster up, installs the mesh as it
# is in this tree, and runs the end-to-end tests against it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ "$(id -u)" = 0 ] || { echo "test-e2e: needs root, for the local cluster: run it with sudo or as root" >&2; exit 1; }
# Before Kubernetes, which takes minutes: what is missing is said at once.
hack/images/envoy.sh >/dev/null
make --no-print-directory cluster-up
make --no-print-directory images
eval "$(make -s --no-print-directory env)"
IMAGE_ID=$(sha256sum _output/images/mesh-apiserver.tar | cut -c1-16) artifacts/deploy/install.sh hack/cluster/deploy
# Each test has pods of its own, which start and are asked at the same time.
PARALLEL=$((2 * $(nproc) < 8 ? 2 * $(nproc) : 8))
cd test
exec go test -count=1 -timeout 25m -parallel "$PARALLEL" -v "$@" ./e2e
