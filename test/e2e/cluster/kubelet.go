// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// RestartKubelet kills the local cluster's kubelet and has it started again; the
// pods run on meanwhile. What a kubelet holds in memory alone, as the state of
// the certificates that it asks for, is gone.
func (c *Cluster) RestartKubelet(t *testing.T) {
	t.Helper()
	file := filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "run", "kubelet.pid")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("the cluster of KUBECONFIG has no kubelet here, as make cluster-up starts it: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill the kubelet: %v", err)
	}
	await.State(t, await.Soon, func() (string, bool) {
		return "the kubelet has not ended", syscall.Kill(pid, 0) != nil
	})
	if out, err := exec.CommandContext(t.Context(), "../../hack/cluster/up.sh").CombinedOutput(); err != nil {
		t.Fatalf("start the kubelet again: %v: %s", err, out)
	}
}
