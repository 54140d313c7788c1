#!/usr/bin/env bash
# Takes mesh-apiserver and all mesh resources out of the cluster of KUBECONFIG.
# What others wait for goes first: an APIService without its server would block the
# deletion of every namespace, a webhook without its server the creation of pods.
# Run again it goes on where it was stopped, also when the server is gone already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

say() { echo "uninstall: $*"; }
gone() { kubectl delete --ignore-not-found --timeout=120s "$@"; }

meshed=$(kubectl get pods -A -o go-template='{{range .items}}{{$in := .metadata.namespace}}{{range .spec.initContainers}}{{if eq .name "mesh-proxy"}}{{$in}}{{"\n"}}{{end}}{{end}}{{end}}' | sort -u | xargs)
[ -z "$meshed" ] || say "pods in these namespaces keep their proxies until they are made anew: $meshed"

say "pods are no longer asked about"
gone mutatingwebhookconfiguration mesh-apiserver

# Finalizers of others would hold the objects back; whoever set them is not heard any
# more once the API is gone. Which kinds there are the API says.
if kinds=$(kubectl api-resources --api-group=mesh.openservicemesh.io --namespaced --verbs=delete -o name --request-timeout=10s 2>/dev/null) && [ -n "$kinds" ]; then
  say "mesh resources go while their server can still tell everybody"
  for kind in $kinds; do
    kubectl get "$kind" -A -o jsonpath='{range .items[?(@.metadata.finalizers)]}{.metadata.namespace} {.metadata.name}{"\n"}{end}' |
      while read -r namespace name; do
        kubectl -n "$namespace" patch "$kind" "$name" --type=merge -p '{"metadata":{"finalizers":null}}'
      done
    gone "$kind" --all -A
  done
fi
say "the API is no longer announced"
gone apiservice v1alpha1.mesh.openservicemesh.io

say "the server goes"
gone -n mesh-system statefulset mesh-apiserver --cascade=foreground
# It is of no manifest, and remembers the root: without its server, lest that
# publishes it again, and before the root, whose loss it would tell of.
gone clustertrustbundle mesh.openservicemesh.io:workload:roots

say "its rights and its data go"
gone -k .
