// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestProxyFitsItsNamespace holds what mesh-proxy gets, written as cpu request/limit,
// memory request/limit, and mesh-init.
func TestProxyFitsItsNamespace(t *testing.T) {
	for _, test := range []struct {
		name   string
		bounds Bounds
		change func(*corev1.Pod)
		want   string
		init   string
	}{
		{name: "nothing is demanded", want: "50m/- 96Mi/-"},
		{name: "a quota on limits", bounds: quota("limits.cpu", "limits.memory"), want: "50m/250m 96Mi/256Mi", init: "10m/250m 16Mi/64Mi"},
		{name: "a quota on one limit", bounds: quota("limits.memory"), want: "50m/- 96Mi/256Mi", init: "10m/- 16Mi/64Mi"},
		{name: "a quota on requests", bounds: quota("requests.cpu", "memory"), want: "50m/- 96Mi/-"},
		{name: "a quota on pods", bounds: quota("pods"), want: "50m/- 96Mi/-"},
		{name: "a minimum above the request", bounds: ranged(corev1.LimitRangeItem{Min: list("100m", "128Mi")}), want: "100m/- 128Mi/-", init: "100m/- 128Mi/-"},
		{name: "a minimum above what a quota gets", bounds: Bounds{
			Quotas: quota("limits.cpu").Quotas, LimitRanges: ranged(corev1.LimitRangeItem{Min: list("1", "")}).LimitRanges,
		}, want: "1/1 96Mi/-", init: "1/1 16Mi/-"},
		{name: "a maximum", bounds: ranged(corev1.LimitRangeItem{Max: list("2", "1Gi")}), want: "50m/250m 96Mi/256Mi", init: "10m/250m 16Mi/64Mi"},
		{name: "a narrow maximum", bounds: ranged(corev1.LimitRangeItem{Max: list("200m", "128Mi")}), want: "50m/200m 96Mi/128Mi", init: "10m/200m 16Mi/64Mi"},
		{name: "a default below the request", bounds: ranged(corev1.LimitRangeItem{Default: list("20m", "64Mi")}), want: "50m/250m 96Mi/256Mi", init: "10m/250m 16Mi/64Mi"},
		{name: "a ratio", bounds: ranged(corev1.LimitRangeItem{MaxLimitRequestRatio: list("3", "2")}), want: "84m/250m 128Mi/256Mi", init: "84m/250m 32Mi/64Mi"},
		{name: "a ratio of one", bounds: ranged(corev1.LimitRangeItem{MaxLimitRequestRatio: list("1", "1")}), want: "250m/250m 256Mi/256Mi", init: "250m/250m 64Mi/64Mi"},
		{name: "what is of claims", bounds: ranged(corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Min: list("100m", "1Gi")}), want: "50m/- 96Mi/-"},
		{name: "a maximum of the pod, without a limit", bounds: ranged(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: list("1", "1Gi")}), want: "50m/- 96Mi/-"},
		{name: "a maximum of the pod that leaves little", bounds: Bounds{
			Quotas:      quota("limits.cpu", "limits.memory").Quotas,
			LimitRanges: ranged(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: list("300m", "400Mi")}).LimitRanges,
		}, change: resources("50m", "100m", "64Mi", "128Mi"), want: "50m/200m 96Mi/256Mi", init: "10m/100m 16Mi/64Mi"},
		{name: "a ratio of the pod", bounds: Bounds{
			Quotas:      quota("limits.cpu", "limits.memory").Quotas,
			LimitRanges: ranged(corev1.LimitRangeItem{Type: corev1.LimitTypePod, MaxLimitRequestRatio: list("2", "2")}).LimitRanges,
		}, change: resources("100m", "200m", "64Mi", "128Mi"), want: "125m/250m 128Mi/256Mi", init: "125m/250m 32Mi/64Mi"},
		{name: "a ratio of the pod, without a limit", bounds: ranged(corev1.LimitRangeItem{Type: corev1.LimitTypePod, MaxLimitRequestRatio: list("2", "2")}), want: "50m/- 96Mi/-"},
		{name: "the annotations' words are kept", bounds: quota("limits.cpu", "limits.memory"), change: func(p *corev1.Pod) {
			p.Annotations = map[string]string{metadata.ProxyCPULimit: "2", metadata.ProxyMemory: "300Mi"}
		}, want: "50m/2 300Mi/300Mi", init: "10m/250m 16Mi/64Mi"},

		{name: "a Guaranteed pod", change: resources("1", "1", "1Gi", "1Gi"), want: "250m/250m 256Mi/256Mi", init: "250m/250m 64Mi/64Mi"},
		{name: "a Guaranteed pod by limits alone", change: resources("", "1", "", "1Gi"), want: "250m/250m 256Mi/256Mi", init: "250m/250m 64Mi/64Mi"},
		{name: "a Guaranteed pod that says what its proxy needs", change: func(p *corev1.Pod) {
			resources("1", "1", "1Gi", "1Gi")(p)
			p.Annotations = map[string]string{metadata.ProxyCPU: "100m", metadata.ProxyMemoryLimit: "200Mi"}
		}, want: "100m/100m 200Mi/200Mi", init: "250m/250m 64Mi/64Mi"},
		{name: "a Guaranteed pod in a LimitRange", bounds: ranged(corev1.LimitRangeItem{Max: list("200m", "1Gi")}),
			change: resources("100m", "100m", "1Gi", "1Gi"), want: "200m/200m 256Mi/256Mi", init: "200m/200m 64Mi/64Mi"},
		{name: "a pod with one limit", change: resources("1", "1", "1Gi", ""), want: "50m/- 96Mi/-"},
		{name: "a pod with an init container that has none", change: func(p *corev1.Pod) {
			resources("1", "1", "1Gi", "1Gi")(p)
			p.Spec.InitContainers = []corev1.Container{{Name: "setup"}}
		}, want: "50m/- 96Mi/-"},
		{name: "a budget of the pod", bounds: quota("limits.cpu"), change: func(p *corev1.Pod) {
			p.Spec.Resources = &corev1.ResourceRequirements{Limits: list("1", "1Gi")}
		}, want: "-/- -/-", init: "-/- -/-"},
		{name: "an empty budget of the pod", bounds: quota("limits.cpu"), change: func(p *corev1.Pod) {
			p.Spec.Resources = &corev1.ResourceRequirements{}
		}, want: "50m/250m 96Mi/-", init: "10m/250m 16Mi/-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := readPod(t, "testdata/nothing-there.in.yaml")
			if test.change != nil {
				test.change(pod)
			}
			namespace := bookstore
			namespace.Bounds = test.bounds
			patched := patchedIn(t, pod, namespace, settings)
			for name, want := range map[string]string{sidecar.ProxyContainer: test.want, sidecar.InitContainer: cmp.Or(test.init, "10m/- 16Mi/-")} {
				if got := written(initContainerNamed(&patched.Spec, name).Resources); got != want {
					t.Errorf("%s has %s, want %s", name, got, want)
				}
			}
		})
	}
}

func TestProxyThatDoesNotFitIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		bounds Bounds
		change func(*corev1.Pod)
		want   string
	}{
		"a maximum below what a proxy needs": {bounds: ranged(corev1.LimitRangeItem{Max: list("", "64Mi")}),
			want: "LimitRange range: a container may have at most 64Mi of memory, and mesh-proxy requests 96Mi: have the maximum raised, or let the proxy have less by the annotation mesh.openservicemesh.io/proxy-memory or MeshConfig spec.sidecar.resources"},
		"no room in the pod": {
			bounds: Bounds{Quotas: quota("limits.cpu").Quotas, LimitRanges: ranged(corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: list("1", "")}).LimitRanges},
			change: resources("", "980m", "", ""),
			want:   "a LimitRange leaves the pod 20m of cpu beside its other containers, and mesh-proxy has a limit of 50m: have the maximum of Pod raised, or let the proxy have less by the annotations mesh.openservicemesh.io/proxy-cpu and mesh.openservicemesh.io/proxy-cpu-limit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := readPod(t, "testdata/nothing-there.in.yaml")
			if test.change != nil {
				test.change(pod)
			}
			namespace := bookstore
			namespace.Bounds = test.bounds
			if result, err := Patch(pod, namespace, settings); err == nil || err.Error() != test.want {
				t.Errorf("got %+v,\n %v\nwant\n %s", result, err, test.want)
			}
		})
	}
}

func quota(names ...corev1.ResourceName) Bounds {
	hard := corev1.ResourceList{}
	for _, name := range names {
		hard[name] = resource.MustParse("10")
	}
	return Bounds{Quotas: []*corev1.ResourceQuota{{Spec: corev1.ResourceQuotaSpec{Hard: hard}}}}
}

// ranged is a LimitRange of containers, unless the item says another type.
func ranged(item corev1.LimitRangeItem) Bounds {
	if item.Type == "" {
		item.Type = corev1.LimitTypeContainer
	}
	return Bounds{LimitRanges: []*corev1.LimitRange{{
		ObjectMeta: metav1.ObjectMeta{Name: "range"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}},
	}}}
}

func list(cpu, memory string) corev1.ResourceList {
	out := corev1.ResourceList{}
	if cpu != "" {
		out[corev1.ResourceCPU] = resource.MustParse(cpu)
	}
	if memory != "" {
		out[corev1.ResourceMemory] = resource.MustParse(memory)
	}
	return out
}

func resources(cpu, cpuLimit, memory, memoryLimit string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: list(cpu, memory), Limits: list(cpuLimit, memoryLimit)}
	}
}

func written(r corev1.ResourceRequirements) string {
	var words []string
	for _, name := range computed {
		pair := []string{"-", "-"}
		for i, of := range []corev1.ResourceList{r.Requests, r.Limits} {
			if q, ok := of[name]; ok {
				pair[i] = q.String()
			}
		}
		words = append(words, fmt.Sprintf("%s/%s", pair[0], pair[1]))
	}
	return strings.Join(words, " ")
}
