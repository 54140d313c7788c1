# Certificates and kubeconfigs: made once, renewed 30 days before their end.
# shellcheck shell=bash

PKI=$STATE/pki

make_pki() {
  mkdir -p -m 0700 "$PKI"
  authority ca; authority front-proxy-ca; authority etcd-ca
  if [ ! -s "$PKI/service-account.key" ]; then new_key service-account; fi
  if [ ! -s "$PKI/service-account.pub" ]; then openssl pkey -in "$PKI/service-account.key" -pubout -out "$PKI/service-account.pub"; fi

  issue etcd-ca etcd "/CN=etcd" "IP:127.0.0.1"
  issue etcd-ca etcd-client "/CN=kube-apiserver"
  issue ca apiserver "/CN=kube-apiserver" "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$NODE_IP,IP:$NODE_IP6,IP:$API_IP,IP:$API_IP6"
  issue ca apiserver-kubelet-client "/O=system:masters/CN=kube-apiserver-kubelet-client"
  issue ca kubelet-server "/CN=$NODE_NAME" "DNS:$NODE_NAME,IP:$NODE_IP,IP:$NODE_IP6"
  issue front-proxy-ca front-proxy-client "/CN=front-proxy-client"
  issue ca admin "/O=system:masters/CN=admin"
  issue ca kube-controller-manager "/CN=system:kube-controller-manager"
  issue ca kube-scheduler "/CN=system:kube-scheduler"
  issue ca kube-proxy "/CN=system:kube-proxy"
  issue ca kubelet "/O=system:nodes/CN=system:node:$NODE_NAME"

  local name
  for name in kube-controller-manager kube-scheduler kube-proxy kubelet; do
    kubeconfig "$name" "$PKI/$name.kubeconfig"
  done
  kubeconfig admin "$ADMIN_KUBECONFIG"
}

new_key() { (umask 077; openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/$1.key" 2>/dev/null ||
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$PKI/$1.key"); }

authority() {
  [ ! -s "$PKI/$1.crt" ] || return 0
  new_key "$1"
  openssl req -x509 -new -key "$PKI/$1.key" -days 3650 -subj "/CN=mesh-cluster $1" -out "$PKI/$1.crt"
}

# issue AUTHORITY NAME SUBJECT [SANS]: a pair for servers (with SANS) or clients.
issue() {
  local authority=$1 name=$2 subject=$3 sans=${4:-}
  if [ -s "$PKI/$name.crt" ] && openssl x509 -checkend 2592000 -noout -in "$PKI/$name.crt" >/dev/null; then return; fi
  new_key "$name"
  openssl req -new -key "$PKI/$name.key" -subj "$subject" |
    openssl x509 -req -CA "$PKI/$authority.crt" -CAkey "$PKI/$authority.key" -days 365 -out "$PKI/$name.crt" -extfile <(
      echo "basicConstraints = critical, CA:FALSE"
      echo "keyUsage = critical, digitalSignature"
      echo "extendedKeyUsage = clientAuth${sans:+, serverAuth}"
      if [ -n "$sans" ]; then echo "subjectAltName = $sans"; fi
    ) 2>/dev/null
}

# kubeconfig NAME FILE: it holds the certificates themselves, so it can be copied.
kubeconfig() {
  put "$2" 0600 <<YAML
apiVersion: v1
kind: Config
current-context: mesh-cluster
contexts: [{name: mesh-cluster, context: {cluster: mesh-cluster, user: $1}}]
clusters:
- name: mesh-cluster
  cluster:
    server: https://$NODE_IP:6443
    certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$PKI/$1.crt")
    client-key-data: $(base64 -w0 "$PKI/$1.key")
YAML
}
