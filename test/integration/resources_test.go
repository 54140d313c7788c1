// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// TestMeshedPodsFitTheQuotasAndLimitRangesOfTheirNamespace has the real admission
// plugins look at what the webhook made.
func TestMeshedPodsFitTheQuotasAndLimitRangesOfTheirNamespace(t *testing.T) {
	for _, test := range []struct {
		name  string
		quota corev1.ResourceList
		limit *corev1.LimitRangeItem
		// own are the resources of the pod's own container.
		own corev1.ResourceRequirements
		// cpu and memory are the proxy's, as request/limit.
		cpu, memory string
		quality     corev1.PodQOSClass
	}{
		{
			name:  "a quota on limits",
			quota: corev1.ResourceList{"limits.cpu": resource.MustParse("4"), "limits.memory": resource.MustParse("4Gi"), "requests.cpu": resource.MustParse("4")},
			own:   bounded("100m", "200m", "64Mi", "128Mi"), cpu: "50m/250m", memory: "96Mi/256Mi", quality: corev1.PodQOSBurstable,
		},
		{
			name:  "a minimum above the proxy's request",
			limit: &corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Min: quantities("100m", "128Mi")},
			cpu:   "100m/0", memory: "128Mi/0", quality: corev1.PodQOSBurstable,
		},
		{
			name: "a default limit below the proxy's request",
			limit: &corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Default: quantities("40m", "64Mi"),
				DefaultRequest: quantities("20m", "32Mi")},
			cpu: "50m/250m", memory: "96Mi/256Mi", quality: corev1.PodQOSBurstable,
		},
		{
			name:  "a maximum and a ratio",
			limit: &corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: quantities("200m", "200Mi"), MaxLimitRequestRatio: quantities("2", "1")},
			own:   bounded("100m", "200m", "64Mi", "64Mi"), cpu: "100m/200m", memory: "200Mi/200Mi", quality: corev1.PodQOSBurstable,
		},
		{
			name:  "a quota on limits, and a ratio of the pod",
			quota: corev1.ResourceList{"limits.cpu": resource.MustParse("4")},
			limit: &corev1.LimitRangeItem{Type: corev1.LimitTypePod, MaxLimitRequestRatio: quantities("2", "")},
			own:   bounded("100m", "200m", "64Mi", "128Mi"), cpu: "125m/250m", memory: "96Mi/0", quality: corev1.PodQOSBurstable,
		},
		{
			name: "a Guaranteed pod",
			own:  bounded("100m", "100m", "64Mi", "64Mi"), cpu: "250m/250m", memory: "256Mi/256Mi", quality: corev1.PodQOSGuaranteed,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace := newMeshNamespace(t)
			newAccount(t, namespace, "books")
			newNode(t, nodeName)
			bind(t, namespace, test.quota, test.limit)
			pod := podOf("books", "books")
			pod.Spec.Containers[0].Resources = test.own
			var made *corev1.Pod
			// The webhook's and the quota controller's informers follow the namespace.
			await.Eventually(t, soon, "the pod is admitted with a proxy that fits", func(ctx context.Context) (err error) {
				if made, err = admitted(ctx, namespace, pod); err != nil {
					return err
				}
				resources := mesh(made, "mesh-proxy").Resources
				if cpu, memory := pair(resources, corev1.ResourceCPU), pair(resources, corev1.ResourceMemory); cpu != test.cpu || memory != test.memory {
					return fmt.Errorf("the proxy has %s of cpu and %s of memory, want %s and %s", cpu, memory, test.cpu, test.memory)
				}
				return nil
			})
			if made.Status.QOSClass != test.quality {
				t.Errorf("the pod is %s, want %s", made.Status.QOSClass, test.quality)
			}
		})
	}
}

func TestLimitRangeThatLeavesTheProxyTooLittleIsNamedWithTheRemedy(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "books")
	newNode(t, nodeName)
	bind(t, namespace, nil, &corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: quantities("", "64Mi")})
	await.Eventually(t, soon, "the pod is refused by the mesh's words", func(ctx context.Context) error {
		_, err := admitted(ctx, namespace, podOf("books", "books"))
		const want = "LimitRange bounds: a container may have at most 64Mi of memory, and mesh-proxy requests 96Mi: have the maximum raised"
		if err == nil || !strings.Contains(err.Error(), want) {
			return fmt.Errorf("got %w, want a refusal that says %q", err, want)
		}
		return nil
	})
}

// admitted has kube-apiserver admit a pod without keeping it.
func admitted(ctx context.Context, namespace string, pod *corev1.Pod) (*corev1.Pod, error) {
	return host.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// bind gives the namespace a quota and a LimitRange, as far as they are given.
func bind(t *testing.T, namespace string, quota corev1.ResourceList, limit *corev1.LimitRangeItem) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "bounds"}
	if quota != nil {
		_, err := host.CoreV1().ResourceQuotas(namespace).Create(t.Context(), &corev1.ResourceQuota{
			ObjectMeta: meta, Spec: corev1.ResourceQuotaSpec{Hard: quota},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	if limit != nil {
		_, err := host.CoreV1().LimitRanges(namespace).Create(t.Context(), &corev1.LimitRange{
			ObjectMeta: meta, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{*limit}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func bounded(cpu, cpuLimit, memory, memoryLimit string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: quantities(cpu, memory), Limits: quantities(cpuLimit, memoryLimit)}
}

func quantities(cpu, memory string) corev1.ResourceList {
	out := corev1.ResourceList{}
	if cpu != "" {
		out[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		out[corev1.ResourceMemory] = resource.MustParse(memory)
	}
	return out
}

func pair(r corev1.ResourceRequirements, name corev1.ResourceName) string {
	request, limit := r.Requests[name], r.Limits[name]
	return request.String() + "/" + limit.String()
}
