# Copyright The mesh-apiserver Authors.
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

# verify_generated SCRIPT runs hack/SCRIPT in a copy of what it reads and
# writes, and fails with the differences if that changes the copy.
verify_generated() {
    local script="$1" root copy path changed=""
    root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
    copy="$(mktemp -d)"
    # shellcheck disable=SC2064 # the value is wanted as it is now
    trap "rm -rf '${copy}'" EXIT

    mkdir -p "${copy}/hack"
    cp -a "${root}/go.mod" "${root}/go.sum" "${root}/apis" "${root}/generated" "${copy}/"
    cp -a "${root}"/hack/{tools,boilerplate.go.txt,api-rules.txt,update-codegen.sh,update-protobuf.sh} "${copy}/hack/"

    TOOLS_BIN="${root}/_output/tools" "${copy}/hack/${script}"

    for path in apis generated hack/api-rules.txt; do
        diff -Naur "${root}/${path}" "${copy}/${path}" || changed=yes
    done
    if [[ -n "${changed}" ]]; then
        echo "generated files are out of date: run make generate" >&2
        return 1
    fi
}
