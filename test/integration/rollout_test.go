// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// A rollout of 500 pods, each with a proxy that connects and ACKs, writes each
// policy's status at most once a second, and in the end it says 500.
func TestARolloutOf500ProxiesWritesAStatusAtMostOnceASecond(t *testing.T) {
	const proxies, policies = 500, 10
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "web")
	const policy = `
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {name: NAME}
spec:
  action: Allow
  rules: [{from: [{authenticated: {}}], to: [{ports: [14001], http: {methods: [GET], hosts: [NAME]}}]}]
`
	for i := range policies {
		kubectl(t, strings.ReplaceAll(policy, "NAME", fmt.Sprint("policy-", i)), "create", "-n", namespace, "-f", "-")
	}
	// No kubelet ends the pods.
	t.Cleanup(func() {
		err := host.CoreV1().Pods(namespace).DeleteCollection(context.Background(), metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}, metav1.ListOptions{})
		if err != nil {
			t.Error(err)
		}
	})
	first := run(t, newPod(t, namespace, "web-0", "web"), nextAddress())
	others := newCrowd(t, follow(t, identify(t, first), first))
	writes := watchWrites(t, namespace)

	begin := time.Now()
	var making sync.WaitGroup
	for maker := range 16 {
		making.Go(func() {
			for i := 1 + maker; i < proxies; i += 16 {
				pod, err := host.CoreV1().Pods(namespace).Create(t.Context(), podOf(fmt.Sprint("web-", i), "web"), metav1.CreateOptions{})
				if err == nil {
					pod, err = report(t.Context(), pod, nextAddress())
				}
				if err != nil {
					t.Error(err)
					return
				}
				go func() {
					if err := others.join(t.Context(), pod); t.Context().Err() == nil {
						t.Errorf("%s: %v", pod.Name, err)
					}
				}()
			}
		})
	}
	making.Wait()
	t.Logf("%d pods were there after %s", proxies, time.Since(begin).Round(time.Millisecond))
	want := v1alpha1.ProxyCounts{Affected: proxies, Acked: proxies}
	await.Eventually(t, soon, "all proxies being counted", func(ctx context.Context) error {
		list, err := policiesIn(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, policy := range list.Items {
			if got := policy.Status.Proxies; got == nil || *got != want || !meta.IsStatusConditionTrue(policy.Status.Conditions, v1alpha1.ConditionProgrammed) {
				return fmt.Errorf("%s: status %+v", policy.Name, policy.Status)
			}
		}
		return nil
	})
	took := time.Since(begin)
	for name, times := range writes() {
		if len(times) < 2 {
			t.Errorf("%s was written %d times, want more during a rollout", name, len(times))
		}
		for i := 1; i < len(times); i++ {
			if !times[i].After(times[i-1]) {
				t.Errorf("%s was written twice within the second of %s", name, times[i])
			}
		}
		t.Logf("%s was written %d times within %s", name, len(times), took.Round(time.Millisecond))
	}
}

// watchWrites gives, by policy, when its status was written since: by the server's
// own clock, in whole seconds, which how late an event comes here does not change.
func watchWrites(t *testing.T, namespace string) func() map[string][]time.Time {
	t.Helper()
	events, err := policiesIn(namespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	var mu sync.Mutex
	writes, versions := map[string][]time.Time{}, map[string]string{}
	go func() {
		for event := range events.ResultChan() {
			policy, ok := event.Object.(*v1alpha1.MeshPolicy)
			if !ok || versions[policy.Name] == policy.ResourceVersion {
				continue
			}
			versions[policy.Name] = policy.ResourceVersion
			for _, entry := range policy.ManagedFields {
				if entry.Subresource == "status" {
					mu.Lock()
					writes[policy.Name] = append(writes[policy.Name], entry.Time.Time)
					mu.Unlock()
				}
			}
		}
	}()
	return func() map[string][]time.Time {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(writes)
	}
}
