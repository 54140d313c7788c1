// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Trim is the transform for the informers that feed the controller: it takes
// from each object what is never read, which is most of a Pod.
func Trim(object any) (any, error) {
	if _, ok := object.(cache.DeletedFinalStateUnknown); ok {
		return object, nil
	}
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	switch o := object.(type) {
	case *corev1.Pod:
		trimPod(o)
	case *corev1.Service:
		o.Annotations = nil
		o.Status = corev1.ServiceStatus{LoadBalancer: o.Status.LoadBalancer}
	case *discoveryv1.EndpointSlice:
		trimSlice(o)
	case *corev1.ServiceAccount:
		o.Annotations, o.Secrets, o.ImagePullSecrets = nil, nil, nil
	}
	return object, nil
}

func trimPod(pod *corev1.Pod) {
	pod.Annotations = meshAnnotations(pod.Annotations)
	pod.Spec = corev1.PodSpec{
		NodeName:           pod.Spec.NodeName,
		ServiceAccountName: pod.Spec.ServiceAccountName,
		HostNetwork:        pod.Spec.HostNetwork,
		InitContainers:     trimContainers(pod.Spec.InitContainers),
		Containers:         trimContainers(pod.Spec.Containers),
		Volumes:            identityVolume(pod.Spec.Volumes),
	}
	pod.Status = corev1.PodStatus{
		Phase:  pod.Status.Phase,
		PodIP:  pod.Status.PodIP,
		PodIPs: pod.Status.PodIPs,
	}
}

// meshAnnotations are those under the mesh's prefix, without the proxy's files,
// which are the same in all pods.
func meshAnnotations(annotations map[string]string) map[string]string {
	var kept map[string]string
	for name, value := range annotations {
		if strings.HasPrefix(name, model.Prefix) && !slices.Contains(model.FileAnnotations, name) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = value
		}
	}
	return kept
}

func trimContainers(containers []corev1.Container) []corev1.Container {
	var out []corev1.Container
	for i := range containers {
		c := &containers[i]
		out = append(out, corev1.Container{Name: c.Name, RestartPolicy: c.RestartPolicy, Ports: c.Ports})
	}
	return out
}

func identityVolume(volumes []corev1.Volume) []corev1.Volume {
	for _, v := range volumes {
		if v.Name == model.VolumeIdentity {
			return []corev1.Volume{v}
		}
	}
	return nil
}

func trimSlice(slice *discoveryv1.EndpointSlice) {
	slice.Annotations = nil
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		slice.Endpoints[i] = discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions, TargetRef: e.TargetRef}
	}
}
