// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Trim is the transform for the informers that feed the controller and the webhook:
// it takes from each object what is never read, which is most of a Pod.
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
		o.Annotations = scrapeAnnotations(o.Annotations, nil)
		o.Status = corev1.ServiceStatus{LoadBalancer: o.Status.LoadBalancer}
	case *discoveryv1.EndpointSlice:
		trimSlice(o)
	case *corev1.LimitRange:
		o.Labels, o.Annotations = nil, nil
	case *corev1.ResourceQuota:
		o.Labels, o.Annotations = nil, nil
		o.Spec, o.Status = corev1.ResourceQuotaSpec{Hard: o.Spec.Hard}, corev1.ResourceQuotaStatus{}
	case *corev1.ServiceAccount:
		o.Annotations, o.Secrets, o.ImagePullSecrets = nil, nil, nil
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		o.ObjectMeta = metav1.ObjectMeta{Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion}
		for i := range o.Webhooks {
			o.Webhooks[i] = admissionregistrationv1.ValidatingWebhook{ClientConfig: trimClientConfig(o.Webhooks[i].ClientConfig)}
		}
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		o.ObjectMeta = metav1.ObjectMeta{Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion}
		for i := range o.Webhooks {
			o.Webhooks[i] = admissionregistrationv1.MutatingWebhook{ClientConfig: trimClientConfig(o.Webhooks[i].ClientConfig)}
		}
	case *apiregistrationv1.APIService:
		o.ObjectMeta = metav1.ObjectMeta{Name: o.Name, UID: o.UID, ResourceVersion: o.ResourceVersion}
		o.Spec = apiregistrationv1.APIServiceSpec{Service: o.Spec.Service}
		o.Status = apiregistrationv1.APIServiceStatus{}
	}
	return object, nil
}

func trimClientConfig(config admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{Service: config.Service}
}

func trimPod(pod *corev1.Pod) {
	pod.Annotations = scrapeAnnotations(pod.Annotations, meshAnnotations(pod.Annotations))
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
		if strings.HasPrefix(name, metadata.Prefix) && !slices.Contains(metadata.FileAnnotations, name) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = value
		}
	}
	return kept
}

// scrapeAnnotations adds those that ask Prometheus to come, if it is asked.
func scrapeAnnotations(annotations, kept map[string]string) map[string]string {
	if annotations[metadata.ScrapeAnnotation] != "true" {
		return kept
	}
	if kept == nil {
		kept = map[string]string{}
	}
	for _, name := range []string{metadata.ScrapeAnnotation, metadata.ScrapePortAnnotation} {
		if value, ok := annotations[name]; ok {
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
		if v.Name == sidecar.VolumeIdentity {
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
