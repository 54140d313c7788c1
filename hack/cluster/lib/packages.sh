# Debian packages that the cluster runs on.
# shellcheck shell=bash

# PACKAGES: package, and a file that shows that it (or an equal) is there.
PACKAGES="
containerd containerd
runc runc
containernetworking-plugins /usr/lib/cni/bridge
conntrack conntrack
iptables iptables
nftables nft
iproute2 ip
socat socat
openssl openssl
procps sysctl
util-linux flock
jq jq
"

missing_packages() {
  local package file
  while read -r package file; do
    [ -z "$package" ] || command -v "$file" >/dev/null || echo "$package"
  done <<<"$PACKAGES"
}

install_packages() {
  local missing log; mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "missing: ${missing[*]}, and there is no apt-get: install them by hand"
  log=$(mktemp)
  watched "installing ${missing[*]}" "$log" apt_install "${missing[@]}"
  rm -f "$log"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update && apt-get install -y --no-install-recommends "$@"
}
