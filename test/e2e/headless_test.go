// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

func TestAHeadlessServiceObeysPolicies(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	host := live.Headless(t, shop.Namespace, "pods", "shop")
	url := "http://" + host + ":8080/books"
	wantGet(t, buyer, "200", url)
	wantGet(t, thief, "200", url)
	wantGet(t, outsider, "no answer", url)

	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, buyer, "200", url)
	wantGet(t, thief, "403", url)
	wantGet(t, buyer, "200", fmt.Sprintf("http://%s/books", net.JoinHostPort(shop.IP6, "8080")))
}

// A StatefulSet gives its pods such a name and Service.
func TestAPodIsReachedByItsName(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	manifest := cluster.Manifest(shop.Namespace, "peer", cluster.Container("app", "reflect"))
	manifest.Spec.Hostname, manifest.Spec.Subdomain = "peer-0", "peers"
	host := live.Headless(t, shop.Namespace, "peers", "peer")
	if _, err := live.Start(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	wantGet(t, buyer, "200", "http://peer-0."+host+":8080/")
	wantGet(t, outsider, "no answer", "http://peer-0."+host+":8080/")
}

func TestAPodIsReachedByItsAddressOnEveryPort(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	for _, ip := range []string{shop.IP, shop.IP6} {
		buyer.Hold(t, net.JoinHostPort(ip, fmt.Sprint(cluster.NamelessPort)))
	}
	wantGet(t, buyer, "200", "http://"+net.JoinHostPort(shop.IP, "8080")+"/")
	wantGet(t, shop.Pod, "200", "http://"+net.JoinHostPort(shop.IP, "8080")+"/")

	// No route speaks of the address, so the call is a TCP connection to the callee.
	live.Policy(t, shop.Namespace, "readers", admit(buyer))
	wantGet(t, buyer, "no answer", "http://"+net.JoinHostPort(shop.IP, "8080")+"/books")
}

func TestHeadlessEndpointsComeAndGoAndCutNoConnection(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	// The one by the pod's address is opened before that is a Service's endpoint.
	address := net.JoinHostPort(shop.IP, "9000")
	before := buyer.Hold(t, address)
	host := live.Headless(t, shop.Namespace, "pods", "shop")
	live.AwaitEndpoints(t, shop.Namespace, "pods")
	wantGet(t, buyer, "200", "http://"+host+":8080/")
	after := buyer.Hold(t, address)

	for i := range 3 {
		name := fmt.Sprint("other-", i)
		manifest := cluster.Manifest(shop.Namespace, name, cluster.Container("app", "reflect"))
		manifest.Labels["app"] = "shop"
		other, err := live.Start(t.Context(), manifest)
		if err != nil {
			t.Fatal(err)
		}
		wantGet(t, buyer, "200", "http://"+net.JoinHostPort(other.IP, "8080")+"/")
		if err := live.Core.CoreV1().Pods(shop.Namespace).Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	wantGet(t, buyer, "200", "http://"+host+":8080/")
	for _, held := range []*cluster.Watch{before, after} {
		for _, connection := range []string{"new", "old"} {
			if got := held.Outcomes(connection); len(got) != 1 {
				t.Errorf("%s connection: %v, want no change", connection, got)
			}
		}
	}
}

func TestAHeadlessServiceOutsideTheMeshIsReached(t *testing.T) {
	t.Parallel()
	host := live.Headless(t, outsider.Namespace, "outside", outsider.Name)
	wantGet(t, buyer, "200", "http://"+host+":8080/")
}
