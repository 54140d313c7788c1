#!/usr/bin/env bash
# Prepares the bookstore of KUBECONFIG's cluster for the measurement of policies.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

kubectl delete meshpolicies --all -A --ignore-not-found
kubectl apply -k artifacts/bookstore/manifests
for deployment in bookbuyer/bookbuyer bookstore/bookstore-v1 bookstore/bookstore-v2; do
  kubectl -n "${deployment%/*}" rollout status "deployment/${deployment#*/}" --timeout=120s
done
kubectl apply -f artifacts/bookstore/policies/bookstore-readers.yaml
