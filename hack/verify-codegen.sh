#!/usr/bin/env bash
# Copyright The mesh-apiserver Authors.
# SPDX-License-Identifier: Apache-2.0

# Fails if update-codegen.sh would change anything. Works on a copy.

set -o errexit -o nounset -o pipefail

source "$(dirname "${BASH_SOURCE[0]}")/verify-generated.sh"
verify_generated update-codegen.sh
