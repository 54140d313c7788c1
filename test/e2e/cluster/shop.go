// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// Shop is a server of every protocol in a meshed namespace of its own: a pod
// "shop", and the Services
//
//	shop    80 → 8080 http, 81 → 8081 grpc
//	echo    9000 → 9000 tcp
//	other   9001 → 9001 tcp
//
// and a port 9100 that echoes too and that no Service names.
type Shop struct {
	*Pod
	// Addresses of the Services, IPv4 then IPv6.
	Addresses map[string][]string
}

// NamelessPort is one that no Service of a Shop names.
const NamelessPort = 9100

// Shop starts one for a test, and waits until the callers' proxies know its
// endpoints; it goes with the test's namespace.
func (c *Cluster) Shop(t *testing.T) *Shop {
	t.Helper()
	name := strings.ToLower(strings.TrimPrefix(t.Name(), "Test"))
	name, _, _ = strings.Cut(name, "/")
	namespace, err := c.Namespace(t.Context(), name[:min(len(name), 34)]+"-"+utilrand.String(5), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Core.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{}); err != nil {
			t.Errorf("delete namespace %s: %v", namespace, err)
		}
	})
	shop := &Shop{Addresses: map[string][]string{}}
	for service, ports := range map[string][]corev1.ServicePort{
		"shop": {
			{Name: "http", Port: 80, TargetPort: intstr.FromString("http"), AppProtocol: ptr.To("http")},
			{Name: "grpc", Port: 81, TargetPort: intstr.FromString("grpc"), AppProtocol: ptr.To("grpc")},
		},
		"echo":  {{Name: "tcp", Port: 9000, TargetPort: intstr.FromString("echo"), AppProtocol: ptr.To("tcp")}},
		"other": {{Name: "tcp", Port: 9001, TargetPort: intstr.FromString("other"), AppProtocol: ptr.To("tcp")}},
	} {
		shop.Addresses[service] = c.service(t, namespace, service, "shop", ports...)
	}
	if shop.Pod, err = c.Start(t.Context(), shopManifest(namespace, "shop")); err != nil {
		t.Fatal(err)
	}
	for _, caller := range c.Callers {
		for _, port := range []string{"shop:80", "shop:81", "echo:9000", "other:9001"} {
			// Envoy's statistics write ":" as "_".
			caller.awaitEndpoint(t, "out/"+namespace+"/"+strings.ReplaceAll(port, ":", "_"))
		}
	}
	return shop
}

// Another starts one more pod behind the Services of a Shop, with an account of its own.
// When it is deleted its containers sleep for MeshConfig's 5 s first, half of a grace
// period being longer: until its callers have heard of it, on a busy machine as well.
func (s *Shop) Another(ctx context.Context, name string) (*Pod, error) {
	manifest := shopManifest(s.Namespace, name)
	manifest.Labels["app"] = "shop"
	manifest.Spec.TerminationGracePeriodSeconds = ptr.To[int64](30)
	return s.cluster.Start(ctx, manifest)
}

func shopManifest(namespace, name string) *corev1.Pod {
	app := Container("app", "reflect")
	app.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "grpc", ContainerPort: 8081}}
	app.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http")},
	}}
	echo := Container("echo", "echo", fmt.Sprintf("--listen=:9000,:9001,:%d", NamelessPort))
	echo.Ports = []corev1.ContainerPort{{Name: "echo", ContainerPort: 9000}, {Name: "other", ContainerPort: 9001}}
	return Manifest(namespace, name, app, echo)
}

// awaitEndpoint waits until a caller's proxy has an endpoint of a cluster: a pod
// is ready a moment before its address has gone through its EndpointSlice.
func (p *Pod) awaitEndpoint(t *testing.T, cluster string) {
	t.Helper()
	await.State(t, await.Soon, func() (string, bool) {
		stats, err := p.Stats(t.Context())
		if err != nil {
			return err.Error(), false
		}
		known := stats.Sum("envoy_cluster_membership_healthy{", `="`+cluster+`"`)
		return fmt.Sprintf("the proxy of %s knows %v endpoints of %s", p.Name, known, cluster), known > 0
	})
}

// service makes a dual-stack Service of the pods of an app, and gives its addresses.
func (c *Cluster) service(t *testing.T, namespace, name, app string, ports ...corev1.ServicePort) []string {
	t.Helper()
	service, err := c.Core.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			IPFamilyPolicy: ptr.To(corev1.IPFamilyPolicyPreferDualStack),
			Selector:       map[string]string{"app": app},
			Ports:          ports,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("make Service %s/%s: %v", namespace, name, err)
	}
	return service.Spec.ClusterIPs
}

// URL is an address of the HTTP server, by its Service.
func (s *Shop) URL(path string) string { return "http://shop." + s.Namespace + path }

// GRPCAddress is the address of the gRPC server.
func (s *Shop) GRPCAddress() string { return "shop." + s.Namespace + ":81" }

// Echo is the address of the TCP server.
func (s *Shop) Echo() string { return "echo." + s.Namespace + ":9000" }

// Other is the address of another TCP server of the same pod.
func (s *Shop) Other() string { return "other." + s.Namespace + ":9001" }

// Expose makes a Service of a pod's HTTP server for a test, and gives its URL.
func (c *Cluster) Expose(t *testing.T, pod *Pod) string {
	t.Helper()
	name := "web-" + utilrand.String(5)
	c.service(t, pod.Namespace, name, pod.Name,
		corev1.ServicePort{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080), AppProtocol: ptr.To("http")})
	return fmt.Sprintf("http://%s.%s/", name, pod.Namespace)
}
