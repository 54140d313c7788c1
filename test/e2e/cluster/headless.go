// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// Headless makes a dual-stack headless Service of the pods of an app, for their
// ports 8080 (HTTP) and 9000 (TCP), and gives its DNS name.
func (c *Cluster) Headless(t *testing.T, namespace, name, app string) string {
	t.Helper()
	_, err := c.Core.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			ClusterIP:      corev1.ClusterIPNone,
			IPFamilyPolicy: ptr.To(corev1.IPFamilyPolicyPreferDualStack),
			Selector:       map[string]string{"app": app},
			Ports: []corev1.ServicePort{
				{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080), AppProtocol: ptr.To("http")},
				{Name: "tcp", Port: 9000, AppProtocol: ptr.To("tcp")},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("make headless Service %s/%s: %v", namespace, name, err)
	}
	return name + "." + namespace
}

// AwaitEndpoints waits until every EndpointSlice of a Service has endpoints.
func (c *Cluster) AwaitEndpoints(t *testing.T, namespace, name string) {
	t.Helper()
	await.State(t, await.Soon, func() (string, bool) {
		slices, err := c.Core.DiscoveryV1().EndpointSlices(namespace).List(t.Context(), metav1.ListOptions{
			LabelSelector: discoveryv1.LabelServiceName + "=" + name,
		})
		if err != nil {
			return err.Error(), false
		}
		for _, slice := range slices.Items {
			if len(slice.Endpoints) == 0 {
				return "an EndpointSlice without endpoints", false
			}
		}
		return fmt.Sprintf("%d EndpointSlices of Service %s/%s", len(slices.Items), namespace, name), len(slices.Items) > 0
	})
}
