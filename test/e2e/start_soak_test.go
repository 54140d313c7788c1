// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

func TestSoakTheAppWaitsTenMinutesForItsProxysConfiguration(t *testing.T) {
	withholdConfiguration(t, 10*time.Minute)
}

// A node takes 110 pods unless it is told otherwise. The shared users of proxies
// and the default of fs.inotify.max_user_instances must do for all of them.
func TestSoakANodeHoldsAHundredAndTenMeshedPods(t *testing.T) {
	const wanted = 110
	live.Settle(t)
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
	if err != nil {
		t.Fatal(err)
	}
	shop := live.Shop(t)
	start := time.Now()
	for i := live.Meshed(t); i < wanted; i++ {
		manifest := cluster.Manifest(shop.Namespace, fmt.Sprintf("pod-%03d", i), cluster.Container("app", "reflect"))
		manifest.Spec.ServiceAccountName = "shop"
		manifest.Labels["app"] = "many"
		// What they request is not the subject; the node may be small.
		manifest.Annotations = map[string]string{"mesh.openservicemesh.io/proxy-cpu": "2m", "mesh.openservicemesh.io/proxy-memory": "32Mi"}
		if _, err := live.Core.CoreV1().Pods(shop.Namespace).Create(t.Context(), manifest, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	await.State(t, 15*time.Minute, func() (string, bool) {
		meshed := live.Meshed(t)
		return fmt.Sprintf("%d pods of the mesh are ready, want %d", meshed, wanted), meshed >= wanted
	})
	t.Logf("%d pods of the mesh are ready after %s; fs.inotify.max_user_instances is %s",
		wanted, time.Since(start).Round(time.Second), strings.TrimSpace(string(limit)))

	pods, err := live.Core.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sharing, most := map[int64]int{}, 0
	var largest int64
	for i := range pods.Items {
		pod := &pods.Items[i]
		user, restarts := proxyOf(pod)
		if user == 0 {
			continue
		}
		sharing[user]++
		most = max(most, sharing[user])
		if restarts > 0 && pod.Namespace == shop.Namespace {
			t.Errorf("the proxy of %s has started %d times more", pod.Name, restarts)
		}
		largest = max(largest, runSize(t, pod))
	}
	t.Logf("%d users of proxies, at most %d pods share one; the largest mesh-run holds %d bytes", len(sharing), most, largest)
	if most > 20 {
		t.Errorf("%d pods share a user, want at most 20", most)
	}
	if largest == 0 || largest >= 10_000_000 {
		t.Errorf("the largest mesh-run holds %d bytes, want some, below 10 MB", largest)
	}

	url := live.Expose(t, &cluster.Pod{Namespace: shop.Namespace, Name: "many"})
	load := buyer.Probe(t, "200", url, "--every=20ms", "--for=10m")
	time.Sleep(30 * time.Second)
	wantNoFailure(t, load)
}

// proxyOf gives the user of a pod's proxy, 0 if it has none, and how often that
// was started again.
func proxyOf(pod *corev1.Pod) (user int64, restarts int32) {
	for _, c := range pod.Spec.InitContainers {
		if c.Name == "mesh-proxy" {
			user = *c.SecurityContext.RunAsUser
		}
	}
	for _, s := range pod.Status.InitContainerStatuses {
		if s.Name == "mesh-proxy" {
			restarts = s.RestartCount
		}
	}
	return user, restarts
}

// runSize is how many bytes the pod's volume mesh-run holds on the node, this machine.
func runSize(t *testing.T, pod *corev1.Pod) int64 {
	t.Helper()
	volume := filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "kubelet", "pods", string(pod.UID), "volumes", "kubernetes.io~empty-dir", "mesh-run")
	var size int64
	err := filepath.WalkDir(volume, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
