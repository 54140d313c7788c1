// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// apply writes objects in YAML to a namespace.
func apply(t *testing.T, namespace, objects string) {
	t.Helper()
	if _, err := live.Kubectl(t.Context(), objects, "apply", "-n", namespace, "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

func TestANamedTargetPortMayDifferFromPodToPod(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	app := cluster.Container("app", "reflect", "--listen=:8090", "--grpc=:8091")
	app.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8090}}
	app.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http")},
	}}
	manifest := cluster.Manifest(shop.Namespace, "moved", app)
	manifest.Labels["app"] = "shop"
	if _, err := live.Start(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	series := `="out/` + shop.Namespace + `/shop_80"`
	await.State(t, soon, func() (string, bool) {
		stats, err := buyer.Stats(t.Context())
		if err != nil {
			return err.Error(), false
		}
		known := stats.Sum("envoy_cluster_membership_healthy{", series)
		return fmt.Sprintf("%v endpoints", known), known == 2
	})
	for range 16 {
		if got := buyer.Get(t.Context(), shop.URL("/")); got != "200" {
			t.Errorf("got %s from one of the two pods, want 200", got)
		}
	}
}

func TestTwoServicesOverTheSamePodsEachHaveTheirProtocol(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	apply(t, shop.Namespace, `
apiVersion: v1
kind: Service
metadata: {name: raw}
spec:
  selector: {app: shop}
  ports: [{name: tcp, port: 80, targetPort: http}]
`)
	raw := "http://raw." + shop.Namespace + "/"
	wantGet(t, buyer, "200", shop.URL("/"))
	wantGet(t, buyer, "200", raw)
	// What a Service calls TCP is a connection, which no HTTP rule admits.
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, buyer, "no answer", raw+"books")
}

func TestAPortWithoutAProtocolIsDetected(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	apply(t, shop.Namespace, `
apiVersion: v1
kind: Service
metadata: {name: undeclared}
spec:
  selector: {app: shop}
  ports: [{name: web, port: 80, targetPort: 8080}, {name: wire, port: 9000}]
`)
	host := "undeclared." + shop.Namespace
	wantGet(t, buyer, "200", "http://"+host+"/books")
	// The server speaks first here, and the client is silent until it has.
	buyer.Hold(t, host+":9000")

	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, buyer, "200", "http://"+host+"/books")
	wantGet(t, thief, "403", "http://"+host+"/books")
}

func TestAHandWrittenEndpointSliceGainsNothingFromAnotherTenantsPod(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	pods, err := live.Kubectl(t.Context(), "", "get", "pod", "-n", shop.Namespace, "shop", "-o", "jsonpath={.metadata.uid}")
	if err != nil {
		t.Fatal(err)
	}
	for service, clusterIP := range map[string]string{"stolen": "", "stolen-headless": "clusterIP: None, "} {
		apply(t, thief.Namespace, fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec: {%[2]sports: [{name: http, port: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- addresses: [%[3]s]
  targetRef: {kind: Pod, namespace: %[4]s, name: shop, uid: %[5]s}
- addresses: [%[3]s]
`, service, clusterIP, shop.IP, shop.Namespace, pods))
	}
	for _, service := range []string{"stolen", "stolen-headless"} {
		url := fmt.Sprintf("http://%s.%s:8080/books", service, thief.Namespace)
		want := "503"
		if service == "stolen-headless" {
			// The address stays the shop's, at which the thief is a TCP caller.
			want = "no answer"
		}
		wantGet(t, thief, want, url)
		wantGet(t, outsider, "no answer", url)
	}
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, thief, "403", shop.URL("/books"))
}

func TestAServiceWithoutSelectorReachesWhatItsSlicesName(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	apply(t, outsider.Namespace, fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: by-hand}
spec: {ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: by-hand, labels: {kubernetes.io/service-name: by-hand}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [%s]}]
`, outsider.IP))
	wantGet(t, buyer, "200", "http://by-hand."+outsider.Namespace+"/")
	apply(t, shop.Namespace, `
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: shop.`+shop.Namespace+`.svc.cluster.local}
`)
	wantGet(t, buyer, "200", "http://alias."+shop.Namespace+"/")
}

func TestServicesAreReachedOverIPv6Alone(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	apply(t, shop.Namespace, `
apiVersion: v1
kind: Service
metadata: {name: six}
spec:
  ipFamilies: [IPv6]
  ipFamilyPolicy: SingleStack
  selector: {app: shop}
  ports: [{name: http, port: 80, targetPort: http}, {name: tcp, port: 9000}]
`)
	wantGet(t, buyer, "200", "http://six."+shop.Namespace+"/")
	buyer.Hold(t, "six."+shop.Namespace+":9000")
}

func TestTheProxysOwnPortsAreRefusedOnOutbound(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	for _, port := range []string{"15001", "15006", "15020", "15021", "15090"} {
		for _, host := range []string{shop.IP, shop.IP6, outsider.IP, shop.Addresses["shop"][0]} {
			if got := buyer.Get(t.Context(), "http://"+net.JoinHostPort(host, port)+"/ready"); !strings.HasPrefix(got, "no answer") {
				t.Errorf("%s:%s: got %s, want no answer", host, port, got)
			}
		}
	}
}

func TestVisibilityOfANamespaceActsWithoutARestart(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	annotate := func(value string) {
		t.Helper()
		if _, err := live.Kubectl(t.Context(), "", "annotate", "--overwrite", "namespace", shop.Namespace, "mesh.openservicemesh.io/visibility="+value); err != nil {
			t.Fatal(err)
		}
	}
	byPod := "http://" + net.JoinHostPort(shop.IP, "8080") + "/"
	bySix := "http://" + net.JoinHostPort(shop.Addresses["shop"][1], "80") + "/"
	everywhere := []string{shop.URL("/"), byPod, bySix}
	for _, test := range []struct{ value, buyer, thief string }{
		{"Mesh", "200", "200"},
		{"Namespace", "no answer", "no answer"},
		{buyer.Namespace, "200", "no answer"},
		{"Everybody!", "no answer", "no answer"},
		{"Mesh", "200", "200"},
	} {
		annotate(test.value)
		for _, url := range everywhere {
			wantGet(t, buyer, test.buyer, url)
			wantGet(t, thief, test.thief, url)
			wantGet(t, shop.Pod, "200", url)
		}
	}
	await.State(t, soon, func() (string, bool) {
		events, err := live.Kubectl(t.Context(), "", "get", "events", "-A", "-o", "name",
			"--field-selector", "reason=InvalidVisibility,involvedObject.name="+shop.Namespace)
		return fmt.Sprintf("Events %q, %v", events, err), strings.Contains(events, shop.Namespace)
	})
}

func TestAnExternalAddressIsThatOfItsOldestService(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	const address = "198.18.255.80"
	for _, service := range []string{"older", "younger"} {
		apply(t, shop.Namespace, fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %s}
spec:
  externalIPs: [%s, %s]
  selector: {app: %s}
  ports: [{name: http, port: 80, targetPort: 8080}]
`, service, address, shop.IP, map[string]string{"older": "shop", "younger": "nobody"}[service]))
	}
	wantGet(t, buyer, "200", "http://"+address+"/")
	await.State(t, soon, func() (string, bool) {
		events, err := live.Kubectl(t.Context(), "", "get", "events", "-n", shop.Namespace, "-o", "jsonpath={.items[*].message}",
			"--field-selector", "reason=AddressTaken")
		return fmt.Sprintf("Events %q, %v", events, err),
			strings.Contains(events, address+" belongs to the Service older") && strings.Contains(events, shop.IP+" is the address of a pod")
	})
}
