# kube-apiserver, kube-controller-manager and kube-scheduler.
# shellcheck shell=bash

start_apiserver() {
  start kube-apiserver "$STATE/bin/kube-apiserver" \
    --etcd-servers=https://127.0.0.1:22379 --etcd-cafile="$PKI/etcd-ca.crt" \
    --etcd-certfile="$PKI/etcd-client.crt" --etcd-keyfile="$PKI/etcd-client.key" \
    --bind-address="$NODE_IP" --advertise-address="$NODE_IP" --secure-port=6443 \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --client-ca-file="$PKI/ca.crt" --cert-dir="$STATE/run" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --service-cluster-ip-range="$SERVICE_CIDR,$SERVICE_CIDR6" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$PKI/service-account.pub" --service-account-signing-key-file="$PKI/service-account.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$PKI/apiserver-kubelet-client.crt" --kubelet-client-key="$PKI/apiserver-kubelet-client.key" \
    --requestheader-client-ca-file="$PKI/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-uid-headers=X-Remote-Uid \
    --proxy-client-cert-file="$PKI/front-proxy-client.crt" --proxy-client-key-file="$PKI/front-proxy-client.key" \
    --enable-aggregator-routing=true
  await kube-apiserver 180 "the API server being ready" kubectl get --raw /readyz
}

start_controllers() {
  local name
  start kube-controller-manager "$STATE/bin/kube-controller-manager" \
    --kubeconfig="$PKI/kube-controller-manager.kubeconfig" --authentication-kubeconfig="$PKI/kube-controller-manager.kubeconfig" \
    --authorization-kubeconfig="$PKI/kube-controller-manager.kubeconfig" \
    --bind-address=127.0.0.1 --cert-dir="$STATE/run" --leader-elect=false --use-service-account-credentials \
    --flex-volume-plugin-dir="$STATE/kubelet/volume-plugins" \
    --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/service-account.key" \
    --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key"
  start kube-scheduler "$STATE/bin/kube-scheduler" \
    --kubeconfig="$PKI/kube-scheduler.kubeconfig" --authentication-kubeconfig="$PKI/kube-scheduler.kubeconfig" \
    --authorization-kubeconfig="$PKI/kube-scheduler.kubeconfig" \
    --bind-address=127.0.0.1 --cert-dir="$STATE/run" --leader-elect=false
}

# await_controllers: the last thing, since they start while others do.
await_controllers() {
  await kube-controller-manager 180 "the controller manager answering" listens 127.0.0.1 10257
  await kube-scheduler 180 "the scheduler answering" listens 127.0.0.1 10259
}
