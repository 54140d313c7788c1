#!/usr/bin/env bash
# Brings up the local cluster, installs mesh-apiserver and the bookstore, and
# shows from live pods that traffic obeys policies. Every line that it prints
# about the mesh comes from the running system. It leaves the cluster up.
#
# With EXISTING_KUBECONFIG=FILE and IMAGE_REGISTRY=REGISTRY[/PATH] it uses that
# cluster instead, and takes the images there by the registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PROGRAM=demo
# shellcheck source=../../hack/progress.sh
source hack/progress.sh

title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

# must PATTERN COMMAND...: shows the command and its output, and fails unless
# the output matches within 15 s.
must() {
  local pattern=$1 out='' deadline=$((SECONDS + 15)); shift
  while :; do
    out=$("$@" 2>&1) || true
    grep -qE "$pattern" <<<"$out" && break
    if ((SECONDS >= deadline)); then
      printf '$ %s\n%s\n' "$*" "$out"
      die "this should have shown /$pattern/"
    fi
    sleep 0.2
  done
  printf '$ %s\n%s\n' "$*" "$out"
}

# in_pod APP ARGUMENTS...: gives in "command" the kubectl command that runs
# `bookstore ARGUMENTS` in the app's own pod.
in_pod() {
  local app=$1 namespace=$1; shift
  case $app in outsider) namespace=outside ;; echo-client) namespace=echo ;; esac
  command=(kubectl exec -n "$namespace" "deploy/$app" -c "$app" -- bookstore "$@")
}
must_get() { # PATTERN APP URL
  in_pod "$2" get "$3"
  must "$1" "${command[@]}"
}
programmed() { show kubectl wait --for=condition=Programmed --timeout=60s -n "$1" "meshpolicy/$2"; }

if [ -n "${EXISTING_KUBECONFIG:-}" ]; then
  # shellcheck source=existing.sh
  source artifacts/bookstore/existing.sh
else
  [ "$(id -u)" = 0 ] || die "needs root, for the local cluster: run it with sudo or as root"
  # Before Kubernetes, which takes minutes: what is missing is said at once.
  hack/images/envoy.sh >/dev/null

  title "A real Kubernetes on this machine"
  make --no-print-directory cluster-up
  make --no-print-directory images
  eval "$(make -s --no-print-directory env)"
  overlay=hack/cluster/deploy bookstore=artifacts/bookstore/manifests
  IMAGE_ID=$(sha256sum _output/images/mesh-apiserver.tar | cut -c1-16)
fi

title "mesh-apiserver as an aggregated API server"
IMAGE_ID=$IMAGE_ID artifacts/deploy/install.sh "$overlay"

title "The bookstore, every pod with a real Envoy"
for n in bookstore bookwarehouse echo; do kubectl delete meshpolicies --all -n "$n" --ignore-not-found >/dev/null; done
if kubectl get namespace bookstore >/dev/null 2>&1; then
  # An earlier run's pods have the sidecars of that time.
  for n in bookstore bookwarehouse bookbuyer bookthief echo; do kubectl rollout restart deployment -n "$n"; done
fi
kubectl apply -k "$bookstore" >/dev/null
for d in bookstore/bookstore-v1 bookstore/bookstore-v2 bookwarehouse/bookwarehouse bookbuyer/bookbuyer \
         bookthief/bookthief echo/echo-server echo/echo-client outside/outsider; do
  kubectl rollout status --timeout=180s -n "${d%/*}" "deploy/${d#*/}"
done
show kubectl get pods -A -l 'app in (bookstore,bookwarehouse,bookbuyer,bookthief,echo-server,echo-client,outsider)'

url=http://bookstore.bookstore:14001/books/1
title "No policy yet, access is Open: buyer and thief are both served, over mTLS"
must_get '^200' bookbuyer "$url"
must_get '^200' bookthief "$url"

title "A policy: only bookbuyer may read"
show kubectl apply -f artifacts/bookstore/policies/bookstore-readers.yaml -f artifacts/bookstore/policies/bookwarehouse-stock.yaml
programmed bookstore bookstore-readers
programmed bookwarehouse stock
must_get '^200' bookbuyer "$url"
must_get '^403' bookthief "$url"
must_get '^403' bookbuyer http://bookstore.bookstore:14001/admin

title "Plaintext from a pod outside the mesh is refused"
must_get 'no answer' outsider "$url"

title "TCP: allowed, then closed without a byte"
show kubectl apply -f artifacts/bookstore/policies/echo-allow.yaml
programmed echo echo
held=$(mktemp)
in_pod echo-client hold --for=60s echo-server.echo:9000
"${command[@]}" >"$held" & holder=$!
trap 'kill "$holder" 2>/dev/null || true; rm -f "$held"' EXIT
until [ "$(grep -c '"outcome":"echo"' "$held")" -ge 2 ]; do sleep 0.2; kill -0 "$holder"; done
echo "both a new and a held connection echo; now the policy names the client no more:"
closed_at=$(date +%s%N)
show kubectl apply -f artifacts/bookstore/policies/echo-close.yaml
begun=$SECONDS TICKED=$SECONDS
until grep -q '"connection":"old","outcome":"closed' "$held"; do
  sleep 0.2; kill -0 "$holder"
  tick "waiting for the held connection to end, $((SECONDS - begun)) s of the drain time's 30"
done
tick_end
grep closed "$held" | while read -r line; do
  at=$(jq -r .at <<<"$line")
  printf '  %s connection: %s, %d ms after the edit was begun\n' "$(jq -r .connection <<<"$line")" "$(jq -r .outcome <<<"$line")" $(((at - closed_at) / 1000000))
done
grep -q '"connection":"new","outcome":"closed after 0 bytes"' "$held" || die "a new connection received something"
kill "$holder" 2>/dev/null || true

title "Policies are ordinary Kubernetes objects"
show kubectl get meshpolicies -A
must '^FIELD: rules' kubectl explain meshpolicy.spec.rules

title "Identity and key agreement of a live sidecar"
_output/bin/demo identity

title "How long until an edited policy is obeyed"
_output/bin/demo obey

if [ -n "${EXISTING_KUBECONFIG:-}" ]; then
  existing_farewell
  exit
fi
cat <<'EOF'

The cluster is up. To try next:
  eval "$(make -s env)"                                   # kubectl for this cluster
  kubectl edit meshpolicy -n bookstore bookstore-readers  # let bookthief in
  kubectl logs -n bookthief deploy/bookthief -c bookthief -f
  kubectl get meshconfig default -o yaml
  make demo-down                                          # take it all away
EOF
