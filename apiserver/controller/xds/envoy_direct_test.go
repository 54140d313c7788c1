//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// TestEnvoyKeepsConnectionsThroughEndpointChurn holds a connection to a pod's
// address while 500 endpoints of a headless Service, in 5 slices, come and go,
// the held pod's own among them, and the Service itself. Nothing is drained; and
// 5,000 addresses at 8 headless ports cost megabytes, not tens.
func TestEnvoyKeepsConnectionsThroughEndpointChurn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	a := pod("a", "v1")
	port := freePort(t)
	w := world.New("cluster.local")
	w.SetPod(meshedPod("held", "127.0.0.1"))
	h.start([]model.Proxy{a}, clusterTo(t, "pods/many/peer", echo(t)), outboundOf(t, w, port))
	admin := h.startEnvoy(a)
	waitFor(t, "the outbound listener", func() bool { return strings.Contains(admin("/listeners"), "outbound") })
	held, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	answers := bufio.NewReader(held)
	alive := func(when string) {
		t.Helper()
		fmt.Fprintln(held, when)
		if got, err := answers.ReadString('\n'); err != nil || got != when+"\n" {
			t.Fatalf("%s: the held connection gave %q, %v", when, got, err)
		}
	}
	apply := func(more ...envoy.Resource) {
		t.Helper()
		before := stat(t, admin, "listener_manager.listener_in_place_updated")
		h.Apply(Update{Set: append(more, outboundOf(t, w, port))})
		waitFor(t, "the update in place", func() bool { return stat(t, admin, "listener_manager.listener_in_place_updated") > before })
	}
	alive("at first")

	for i := range 500 {
		w.SetPod(meshedPod(fmt.Sprint("peer-", i), churnAddress(i)))
	}
	w.SetService(headlessService("churned", int32(port)))
	apply()
	for round := range 10 {
		for s := range 5 {
			w.SetSlice(sliceOf(s, round, int32(port)))
		}
		apply(tcpOf(t, w, "churned")...)
		alive(fmt.Sprint("round ", round))
	}
	if n := stat(t, admin, "listener_manager.total_filter_chains_draining") + stat(t, admin, "listener_manager.total_listeners_draining"); n > 0 {
		t.Errorf("%d chains or listeners drain", n)
	}
	for s := range 5 {
		w.DeleteSlice(world.Key{Namespace: "many", Name: fmt.Sprint("churned-", s)})
	}
	w.DeleteService(world.Key{Namespace: "many", Name: "churned"})
	apply()
	alive("without the Service")

	before := allocated(t, admin)
	for i := range 5000 {
		w.SetPod(meshedPod(fmt.Sprint("peer-", i), churnAddress(i)))
	}
	var more []envoy.Resource
	for n := range 8 {
		name := fmt.Sprint("wide-", n)
		w.SetService(headlessService(name, int32(7000+n)))
		w.SetSlice(wideSlice(name, int32(7000+n)))
		more = append(more, tcpOf(t, w, name)...)
	}
	apply(more...)
	alive("among 5,000")
	cost := allocated(t, admin) - before
	t.Logf("5,000 addresses at 8 headless ports: %.1f MB of heap", float64(cost)/1e6)
	if cost > 15e6 {
		t.Errorf("5,000 addresses at 8 headless ports cost %d bytes", cost)
	}
}

// outboundOf is the real outbound listener, at a port of the test's own. A
// connection that was not redirected is one to that port.
func outboundOf(t *testing.T, w *world.World, port uint32) envoy.Resource {
	t.Helper()
	resources, err := envoy.Direct(model.Mesh{Egress: compile.Egress(w.Reader())}, compile.Direct(w.Reader()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := resources[0].Body.UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	l := m.(*listenerv3.Listener)
	l.Address, l.AdditionalAddresses = socket("127.0.0.1", port), nil
	return encode(t, resources[0].Name, "", l)
}

// tcpOf are the filters of a headless Service, for which its chains wait.
func tcpOf(t *testing.T, w *world.World, name string) []envoy.Resource {
	t.Helper()
	service, _ := compile.Headless(w.Reader(), world.Key{Namespace: "many", Name: name})
	resources, err := envoy.Headless(compile.Mesh(w.Reader()), service)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(resources, func(r envoy.Resource) bool { return r.TypeURL != filters.typeURL() })
}

func clusterTo(t *testing.T, name, address string) envoy.Resource {
	to := netip.MustParseAddrPort(address)
	return encode(t, name, "", &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(patience),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: socket(to.Addr().String(), uint32(to.Port()))},
			}}},
		}}},
	})
}

func echo(t *testing.T) string {
	return application(t, func(c net.Conn) {
		defer c.Close()
		io.Copy(c, c)
	})
}

func churnAddress(i int) string { return fmt.Sprintf("198.18.%d.%d", 1+i/250, 1+i%250) }

func meshedPod(name, ip string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "many", Name: name, UID: types.UID(name)}}
	p.Spec.ServiceAccountName = "peer"
	p.Spec.InitContainers = []corev1.Container{{Name: sidecar.ProxyContainer, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	p.Spec.Volumes = []corev1.Volume{{Name: sidecar.VolumeIdentity, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: sidecar.Signer}}},
	}}}}
	p.Status.Phase = corev1.PodRunning
	p.Status.PodIPs = []corev1.PodIP{{IP: ip}}
	return p
}

func headlessService(name string, port int32) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "many", Name: name}}
	s.Spec.ClusterIP, s.Spec.ClusterIPs = corev1.ClusterIPNone, []string{corev1.ClusterIPNone}
	s.Spec.Ports = []corev1.ServicePort{{Name: "tcp", Port: port, Protocol: corev1.ProtocolTCP}}
	return s
}

// sliceOf has 100 endpoints, of which each round takes others away; in every
// other round the held pod is one as well.
func sliceOf(s, round int, port int32) *discoveryv1.EndpointSlice {
	var names, ips []string
	for i := s * 100; i < (s+1)*100; i++ {
		if (i+round)%3 > 0 {
			names, ips = append(names, fmt.Sprint("peer-", i)), append(ips, churnAddress(i))
		}
	}
	if s == 0 && round%2 == 1 {
		names, ips = append(names, "held"), append(ips, "127.0.0.1")
	}
	return slice("churned", fmt.Sprint("churned-", s), port, names, ips)
}

func wideSlice(service string, port int32) *discoveryv1.EndpointSlice {
	var names, ips []string
	for i := range 5000 {
		names, ips = append(names, fmt.Sprint("peer-", i)), append(ips, churnAddress(i))
	}
	return slice(service, service, port, names, ips)
}

func slice(service, name string, port int32, pods, ips []string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
	s.Namespace, s.Name = "many", name
	s.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	s.Ports = []discoveryv1.EndpointPort{{Name: ptr.To("tcp"), Port: &port}}
	for i, pod := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{ips[i]},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "many", Name: pod, UID: types.UID(pod)},
		})
	}
	return s
}

func stat(t *testing.T, admin func(string) string, name string) int64 {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `: (\d+)$`).FindStringSubmatch(admin("/stats?filter=" + name))
	if found == nil {
		return 0
	}
	n, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// allocated is Envoy's heap in bytes.
func allocated(t *testing.T, admin func(string) string) int64 {
	t.Helper()
	var memory struct {
		Allocated int64 `json:"allocated,string"`
	}
	if err := json.Unmarshal([]byte(admin("/memory")), &memory); err != nil {
		t.Fatal(err)
	}
	return memory.Allocated
}
