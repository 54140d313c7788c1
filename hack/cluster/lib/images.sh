# Images go straight into the cluster's containerd; there is no registry.
# shellcheck shell=bash

COREDNS_IMAGE=docker.io/local/coredns:dev

# import_own_images: on every start, since garbage collection or a person may
# have removed one.
import_own_images() {
  local out=$BUILT/images
  if [ ! -e "$out/coredns.tar" ] || [ ! -e "$out/pause.tar" ]; then
    watched "packing the pause and coredns images" "$STATE/log/images.log" \
      go -C "$HERE/../images" run . --out "$out" --cluster "$BUILT" pause coredns
  fi
  import_image "$out/pause.tar"
  import_image "$out/coredns.tar"
}

# import_image TAR: what was imported is remembered by content.
import_image() {
  local tar=$1 name digest
  name=$(tar -xOf "$tar" manifest.json | jq -r '.[0].RepoTags[0]')
  digest=$(sha256sum <"$tar")
  mkdir -p "$STATE/images"
  local known=$STATE/images/${name//\//_}
  if [ "$(cat "$known" 2>/dev/null)" = "$digest" ] && grep -qw complete <<<"$(ctr images check "name==$name")"; then return; fi
  ctr images import "$tar" >/dev/null
  echo "$digest" >"$known"
  say "imported $name"
}
