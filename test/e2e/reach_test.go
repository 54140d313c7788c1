// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import "testing"

func TestAMeshedPodReachesTheKubernetesAPI(t *testing.T) {
	t.Parallel()
	wantGet(t, buyer, "200", "--insecure", "https://kubernetes.default/livez")
}

func TestAMeshedPodReachesAServiceOutsideTheMesh(t *testing.T) {
	t.Parallel()
	wantGet(t, buyer, "200", live.Expose(t, outsider))
}
