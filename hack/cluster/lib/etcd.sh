# etcd, for the cluster's own objects.
# shellcheck shell=bash

start_etcd() {
  # Without fsync, since this cluster need not outlive a loss of power.
  start etcd "$STATE/bin/etcd" \
    --name=mesh-cluster --data-dir="$STATE/etcd" --unsafe-no-fsync --log-level=warn \
    --listen-client-urls=https://127.0.0.1:22379 --advertise-client-urls=https://127.0.0.1:22379 \
    --listen-peer-urls=https://127.0.0.1:22380 --initial-advertise-peer-urls=https://127.0.0.1:22380 \
    --initial-cluster=mesh-cluster=https://127.0.0.1:22380 \
    --client-cert-auth --trusted-ca-file="$PKI/etcd-ca.crt" --cert-file="$PKI/etcd.crt" --key-file="$PKI/etcd.key" \
    --peer-client-cert-auth --peer-trusted-ca-file="$PKI/etcd-ca.crt" --peer-cert-file="$PKI/etcd.crt" --peer-key-file="$PKI/etcd.key"
  await etcd 120 "listening" listens 127.0.0.1 22379
}

listens() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }
