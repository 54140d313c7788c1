// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SystemNamespace is where the mesh lives, and ControlPlane its pod.
const (
	SystemNamespace = "mesh-system"
	ControlPlane    = "mesh-apiserver-0"
)

// ServerMetrics reads the metrics of the control plane, from its pod.
func (c *Cluster) ServerMetrics(ctx context.Context) (Metrics, error) {
	pod, err := c.Core.CoreV1().Pods(SystemNamespace).Get(ctx, ControlPlane, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return scrape(ctx, "http://"+net.JoinHostPort(pod.Status.PodIP, "9090")+"/metrics")
}

// Meshed counts the pods that run in the mesh.
func (c *Cluster) Meshed(t *testing.T) int {
	t.Helper()
	pods, err := c.Core.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	meshed := 0
	for i := range pods.Items {
		pod := &pods.Items[i]
		proxied := slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == "mesh-proxy" })
		if proxied && pod.DeletionTimestamp == nil && ready(pod) {
			meshed++
		}
	}
	return meshed
}

// ServerReady says whether the control plane's pod is ready, and which pod and
// which start of its container that is.
func (c *Cluster) ServerReady(ctx context.Context) (incarnation string, isReady bool) {
	pod, err := c.Core.CoreV1().Pods(SystemNamespace).Get(ctx, ControlPlane, metav1.GetOptions{})
	if err != nil || len(pod.Status.ContainerStatuses) == 0 {
		return "", false
	}
	return pod.Status.ContainerStatuses[0].ContainerID, pod.DeletionTimestamp == nil && ready(pod)
}

// DeleteServer removes the control plane's pod without any grace.
func (c *Cluster) DeleteServer(ctx context.Context) error {
	now := int64(0)
	return c.Core.CoreV1().Pods(SystemNamespace).Delete(ctx, ControlPlane, metav1.DeleteOptions{GracePeriodSeconds: &now})
}

// KillServer kills the control plane's process, which runs on this machine, as
// a crash would. It finds the process by its pod's control group.
func (c *Cluster) KillServer(ctx context.Context) error {
	pod, err := c.Core.CoreV1().Pods(SystemNamespace).Get(ctx, ControlPlane, metav1.GetOptions{})
	if err != nil {
		return err
	}
	pid, err := processOf(pod)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

func processOf(pod *corev1.Pod) (int, error) {
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, path := range groups {
		group, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(group, []byte("pod"+string(pod.UID))) {
			continue
		}
		executable, err := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		if err == nil && filepath.Base(executable) == "mesh-apiserver" {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, fmt.Errorf("pod %s has no process mesh-apiserver on this machine", pod.Name)
}
