// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Bounds are what a namespace demands of the resources of its containers, as far
// as it is known. kube-apiserver holds pods to it after the webhook has seen them,
// and its refusal would not say what the mesh can do about it.
type Bounds struct {
	LimitRanges []*corev1.LimitRange
	Quotas      []*corev1.ResourceQuota
}

// computed are the resources that a quota counts by container, and that make the
// quality of service of a pod.
var computed = []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// initDemanded is what mesh-init requests, and its limits where something demands
// that there are some. It ends before all others but the proxy start, so a pod whose
// containers request as much pays nothing for it.
var initDemanded = corev1.ResourceRequirements{
	Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
	Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
}

// fitted are the resources of the mesh's containers.
type fitted struct{ proxy, init corev1.ResourceRequirements }

// fit gives the mesh's containers the resources of the settings, and what the pod
// and its namespace demand beside:
//
//   - a request or limit where a quota counts it, since the quota refuses pods with a
//     container that has none (KEP-2837 says why), or a LimitRange would set one
//     that does not know of the request;
//   - a limit that is the request where all other containers have that, so that
//     the pod stays Guaranteed;
//   - whatever a LimitRange allows.
//
// Within a budget for the whole pod nothing of it is asked.
func fit(pod *corev1.Pod, bounds Bounds, settings Settings) (fitted, []error) {
	if budgeted(&pod.Spec) {
		return fitted{}, nil
	}
	var beside []corev1.ResourceList
	for _, c := range others(&pod.Spec) {
		if c.runsOn {
			beside = append(beside, c.Resources.Limits)
		}
	}
	guaranteed := guaranteed(&pod.Spec)
	out := fitted{
		proxy: *settings.Resources.DeepCopy(),
		init:  corev1.ResourceRequirements{Requests: initDemanded.DeepCopy().Requests},
	}
	errs := bounds.fit(sidecar.ProxyContainer, &out.proxy, settings.Demanded, guaranteed, beside)
	// While mesh-init runs, of the others the proxy alone does.
	errs = append(errs, bounds.fit(sidecar.InitContainer, &out.init, initDemanded, guaranteed, []corev1.ResourceList{out.proxy.Limits})...)
	return out, errs
}

// fit changes the resources of one container, beside which others have limits.
func (b Bounds) fit(container string, resources *corev1.ResourceRequirements, demanded corev1.ResourceRequirements, guaranteed bool, beside []corev1.ResourceList) []error {
	var errs []error
	for _, name := range computed {
		share := share{container: container, name: name, room: b.room(name, beside)}
		share.request, share.limit = resources.Requests[name], resources.Limits[name]
		share.state(b, demanded, guaranteed)
		for _, limits := range b.LimitRanges {
			for i := range limits.Spec.Limits {
				share.clamp(&limits.Spec.Limits[i])
			}
		}
		if guaranteed {
			share.request = share.limit
		}
		errs = append(errs, share.check(b)...)
		set(&resources.Requests, name, share.request)
		set(&resources.Limits, name, share.limit)
	}
	return errs
}

func set(list *corev1.ResourceList, name corev1.ResourceName, quantity resource.Quantity) {
	if quantity.IsZero() {
		return
	}
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[name] = quantity
}

// share is what a container of the mesh has of one resource; zero is not stated.
type share struct {
	container      string
	name           corev1.ResourceName
	request, limit resource.Quantity
	// room is the most that a limit may be beside the pod's other containers; nil
	// if there is no end to it.
	room *resource.Quantity
}

// state gives a request or limit where one is demanded and the settings have none.
func (s *share) state(bounds Bounds, demanded corev1.ResourceRequirements, guaranteed bool) {
	if s.limit.IsZero() && (guaranteed || bounds.demandLimit(s.name)) {
		s.limit = larger(demanded.Limits[s.name], s.request)
		if s.room != nil && s.room.Cmp(s.limit) < 0 {
			s.limit = larger(*s.room, s.request)
		}
		// The API server would take the limit for the request.
		if s.request.IsZero() {
			s.request = smaller(demanded.Requests[s.name], s.limit)
		}
	}
	if s.request.IsZero() && s.limit.IsZero() && bounds.demandRequest(s.name) {
		s.request = demanded.Requests[s.name]
	}
}

// clamp fits the share to an item of a LimitRange. A maximum below the request is
// none to obey: with less a proxy does not work.
func (s *share) clamp(item *corev1.LimitRangeItem) {
	switch item.Type {
	case corev1.LimitTypePod:
		// Where no container is above the ratio, the pod is not.
		s.relate(item)
		return
	case corev1.LimitTypeContainer:
	default:
		return
	}
	if least, ok := item.Min[s.name]; ok {
		if !s.request.IsZero() {
			s.request = larger(s.request, least)
		}
		if !s.limit.IsZero() {
			s.limit = larger(s.limit, least)
		}
	}
	if most, ok := item.Max[s.name]; ok && s.limit.Cmp(most) > 0 {
		s.limit = larger(most, s.request)
	}
	s.relate(item)
}

// relate raises the request to what the limit's ratio to it demands.
func (s *share) relate(item *corev1.LimitRangeItem) {
	if ratio, ok := item.MaxLimitRequestRatio[s.name]; ok && ratio.Sign() > 0 && !s.limit.IsZero() {
		least := resource.NewMilliQuantity(int64(math.Ceil(1000*s.limit.AsApproximateFloat64()/ratio.AsApproximateFloat64())), s.limit.Format)
		if s.name == corev1.ResourceMemory {
			least = resource.NewQuantity(least.Value(), s.limit.Format)
		}
		s.request = larger(s.request, *least)
	}
}

// check finds the LimitRanges that leave the proxy less than it needs.
func (s *share) check(bounds Bounds) []error {
	var errs []error
	for _, limits := range bounds.LimitRanges {
		for _, item := range limits.Spec.Limits {
			if most, ok := item.Max[s.name]; ok && item.Type == corev1.LimitTypeContainer && s.request.Cmp(most) > 0 {
				errs = append(errs, fmt.Errorf("LimitRange %s: a container may have at most %s of %s, and %s requests %s: have the maximum raised, or let the proxy have less by the annotation %s or MeshConfig spec.sidecar.resources",
					limits.Name, most.String(), s.name, s.container, s.request.String(), annotationOf(s.name)))
			}
		}
	}
	// Below zero the other containers have more than is allowed.
	if s.room != nil && s.room.Sign() >= 0 && s.limit.Cmp(*s.room) > 0 {
		errs = append(errs, fmt.Errorf("a LimitRange leaves the pod %s of %s beside its other containers, and %s has a limit of %s: have the maximum of Pod raised, or let the proxy have less by the annotations %s and %s-limit",
			s.room.String(), s.name, s.container, s.limit.String(), annotationOf(s.name), annotationOf(s.name)))
	}
	return errs
}

func annotationOf(name corev1.ResourceName) string {
	if name == corev1.ResourceCPU {
		return metadata.ProxyCPU
	}
	return metadata.ProxyMemory
}

// demandLimit tells whether a container without a limit would be refused, or given
// one that does not know of the container's request.
func (b Bounds) demandLimit(name corev1.ResourceName) bool {
	return b.counted("limits."+name) || slices.ContainsFunc(b.LimitRanges, func(limits *corev1.LimitRange) bool {
		return slices.ContainsFunc(limits.Spec.Limits, func(item corev1.LimitRangeItem) bool {
			_, defaulted := item.Default[name]
			_, bounded := item.Max[name]
			_, related := item.MaxLimitRequestRatio[name]
			return item.Type == corev1.LimitTypeContainer && (defaulted || bounded || related)
		})
	})
}

func (b Bounds) demandRequest(name corev1.ResourceName) bool {
	return b.counted(name) || b.counted("requests."+name)
}

// counted tells whether a quota of the namespace counts the resource. Scopes are
// not looked at: what is stated without need harms nothing.
func (b Bounds) counted(name corev1.ResourceName) bool {
	return slices.ContainsFunc(b.Quotas, func(quota *corev1.ResourceQuota) bool {
		_, ok := quota.Spec.Hard[name]
		return ok
	})
}

// room is what the narrowest LimitRange of pods leaves beside the limits of others;
// nil if none is there.
func (b Bounds) room(name corev1.ResourceName, beside []corev1.ResourceList) *resource.Quantity {
	var room *resource.Quantity
	for _, limits := range b.LimitRanges {
		for _, item := range limits.Spec.Limits {
			most, ok := item.Max[name]
			if ok && item.Type == corev1.LimitTypePod && (room == nil || most.Cmp(*room) < 0) {
				room = &most
			}
		}
	}
	if room == nil {
		return nil
	}
	left := room.DeepCopy()
	for _, limits := range beside {
		left.Sub(limits[name])
	}
	return &left
}

// guaranteed tells whether each of the pod's own containers has limits that are its
// requests (core/v1 PodQOSGuaranteed). A request that is left out is the limit.
func guaranteed(spec *corev1.PodSpec) bool {
	return !slices.ContainsFunc(others(spec), func(c member) bool {
		return slices.ContainsFunc(computed, func(name corev1.ResourceName) bool {
			request, requested := c.Resources.Requests[name]
			limit := c.Resources.Limits[name]
			return limit.IsZero() || requested && request.Cmp(limit) != 0
		})
	})
}

// budgeted tells whether the pod has resources as a whole (KEP-2837).
func budgeted(spec *corev1.PodSpec) bool {
	return spec.Resources != nil && len(spec.Resources.Requests)+len(spec.Resources.Limits) > 0
}

func larger(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

func smaller(a, b resource.Quantity) resource.Quantity {
	if b.Cmp(a) < 0 {
		return b
	}
	return a
}
