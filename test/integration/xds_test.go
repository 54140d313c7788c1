// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// shop is a namespace of the mesh with the Service bookstore, its pod, and a pod
// that buys. Their proxies are the tests.
type shop struct {
	namespace         string
	store, buyer      *corev1.Pod
	atStore, atBuyer  tls.Certificate
	service           *corev1.Service
	endpoints, listen string // names of the Service's resources
}

// addresses are given to pods, of the range of the tests; nobody dials them.
var addresses atomic.Int32

func nextAddress() string {
	n := addresses.Add(1)
	return fmt.Sprintf("198.18.%d.%d", n/250, 1+n%250)
}

func newShop(t *testing.T) shop {
	t.Helper()
	s := shop{namespace: newMeshNamespace(t)}
	for _, account := range []string{"bookstore", "bookbuyer"} {
		newAccount(t, s.namespace, account)
	}
	s.store = run(t, newPod(t, s.namespace, "store", "bookstore", labelled("app", "bookstore")), nextAddress())
	s.buyer = run(t, newPod(t, s.namespace, "buyer", "bookbuyer"), nextAddress())
	s.atStore, s.atBuyer = identify(t, s.store), identify(t, s.buyer)
	s.service = expose(t, s.namespace, serviceOf("bookstore", "bookstore", "http", 14001), s.store)
	s.endpoints = "out/" + s.namespace + "/bookstore:14001"
	s.listen = "out/" + s.service.Spec.ClusterIP + ":14001"
	return s
}

func TestProxyIsToldOfServicesAndTheirEndpoints(t *testing.T) {
	s := newShop(t)
	buyer := connect(t, s.atBuyer, idOf(s.buyer))
	buyer.subscribe(clusterType, nil, "*")
	buyer.subscribe(listenerType, nil, "*")
	for _, name := range []string{"inbound", "outbound", s.listen} {
		await.Eventually(t, soon, "listener "+name, buyer.has(listenerType, name))
	}
	buyer.subscribe(endpointType, nil, s.endpoints)
	await.Eventually(t, soon, "one endpoint", buyer.sees(s.endpoints, s.store.Status.PodIP))

	second := run(t, newPod(t, s.namespace, "second", "bookstore", labelled("app", "bookstore")), nextAddress())
	publish(t, s.namespace, s.service, s.store, second)
	await.Eventually(t, soon, "both endpoints", buyer.sees(s.endpoints, s.store.Status.PodIP, second.Status.PodIP))
}

// sees tells whether exactly these addresses are the endpoints by a name.
func (p *proxy) sees(name string, want ...string) func(context.Context) error {
	return func(context.Context) error {
		resource, err := p.Resource(endpointType, name)
		if err != nil {
			return err
		}
		var assignment endpointv3.ClusterLoadAssignment
		if err := resource.GetResource().UnmarshalTo(&assignment); err != nil {
			return err
		}
		var got []string
		for _, locality := range assignment.GetEndpoints() {
			for _, endpoint := range locality.GetLbEndpoints() {
				got = append(got, endpoint.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			return fmt.Errorf("endpoints are %v, want %v", got, want)
		}
		return nil
	}
}

func TestProxyThatSaysItIsAnotherIsRefused(t *testing.T) {
	s := newShop(t)
	impostor := connect(t, s.atBuyer, idOf(s.store))
	impostor.subscribe(listenerType, nil, "*")
	await.Eventually(t, soon, "the end of the stream", func(context.Context) error {
		if impostor.Ended() == nil {
			return errors.New("it goes on")
		}
		return nil
	})
	if err := impostor.Ended(); status.Code(err) != codes.PermissionDenied || impostor.Received(listenerType) != 0 {
		t.Errorf("got %v after %d listeners, want PermissionDenied after none", err, impostor.Received(listenerType))
	}
}

func TestStrangersCannotConnect(t *testing.T) {
	for name, certificate := range map[string]tls.Certificate{
		"without a certificate": {},
		"with another's root":   pairOf(t),
	} {
		t.Run(name, func(t *testing.T) {
			roots, _ := meshRoots(t)
			config := &tls.Config{RootCAs: roots, ServerName: harness.ServerName, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}}
			if certificate.Certificate != nil {
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
			}
			connection, err := tls.Dial("tcp", server.Address+":15012", config)
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			// In TLS 1.3 the client learns with its first read whether it was taken.
			if err := connection.SetReadDeadline(time.Now().Add(soon)); err != nil {
				t.Fatal(err)
			}
			if _, err := connection.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("got %v, want that the certificate is refused", err)
			}
		})
	}
}

func TestReconnectedProxyIsSentNothingThatItHas(t *testing.T) {
	s := newShop(t)
	witness := follow(t, s.atStore, s.store)
	first := connect(t, s.atBuyer, idOf(s.buyer))
	first.subscribe(clusterType, nil, "*")
	first.subscribe(listenerType, nil, "*")
	await.Eventually(t, soon, "the Service's listener", first.has(listenerType, s.listen))
	settled(t)
	begun := witness.mark()
	clusters, listeners := first.Versions(clusterType), first.Versions(listenerType)
	first.Close()

	again := connect(t, s.atBuyer, idOf(s.buyer))
	again.subscribe(clusterType, clusters, "*")
	again.subscribe(listenerType, listeners, "*")
	// What is asked for next is answered after that.
	for _, name := range []string{"out/nowhere/nothing:1", "out/nowhere/nothing:2"} {
		again.subscribe(endpointType, nil, name)
		await.Eventually(t, soon, "an answer", again.lacks(name))
	}
	// What changes meanwhile, by another test's end, is sent to everybody.
	await.Eventually(t, soon, "the witness being sent the same", func(context.Context) error {
		changes := witness.told(begun)
		for _, receipt := range again.told(0) {
			if kind, _, _ := strings.Cut(receipt, " "); (kind == xdstest.Short(clusterType) || kind == xdstest.Short(listenerType)) && !slices.Contains(changes, receipt) {
				return fmt.Errorf("%s came again", receipt)
			}
		}
		return nil
	})
}

// The policy's Programmed is what proxies answered, with Envoy's own words where
// one refused.
func TestPolicyIsProgrammedWhenItsProxyHasAcknowledged(t *testing.T) {
	s := newShop(t)
	store := follow(t, s.atStore, s.store)

	kubectl(t, strings.ReplaceAll(readers, "namespace: bookbuyer, ", ""), "create", "-n", s.namespace, "-f", "-")
	await.Eventually(t, soon, "Programmed=True", programmed(s.namespace, metav1.ConditionTrue, ""))

	store.Refuse(routeType, "this Envoy takes no such route")
	kubectl(t, "", "patch", "mp", "-n", s.namespace, "readers", "--type=json", "-p", `[{"op":"replace","path":"/spec/rules/0/to/0/http/methods","value":["POST"]}]`)
	await.Eventually(t, soon, "Programmed=False", programmed(s.namespace, metav1.ConditionFalse, "this Envoy takes no such route"))

	store.Refuse(routeType, "")
	kubectl(t, "", "patch", "mp", "-n", s.namespace, "readers", "--type=json", "-p", `[{"op":"replace","path":"/spec/rules/0/to/0/http/methods","value":["PUT"]}]`)
	await.Eventually(t, soon, "Programmed=True", programmed(s.namespace, metav1.ConditionTrue, ""))
	row := strings.Fields(kubectl(t, "", "get", "-n", s.namespace, "mp", "readers", "--no-headers"))
	if got, want := strings.Join(row[:len(row)-1], " "), "readers Allow Enforce Service/bookstore 1 True 1/1"; got != want {
		t.Errorf("got row %q, want %q", got, want)
	}
}

// programmed tells whether the policy's condition is as wanted for its generation.
func programmed(namespace string, want metav1.ConditionStatus, words string) func(context.Context) error {
	return func(ctx context.Context) error {
		policy, err := policiesIn(namespace).Get(ctx, "readers", metav1.GetOptions{})
		if err != nil {
			return err
		}
		condition := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionProgrammed)
		if condition == nil || condition.Status != want || condition.ObservedGeneration != policy.Generation || !strings.Contains(condition.Message, words) {
			return fmt.Errorf("generation %d has condition %+v", policy.Generation, condition)
		}
		return nil
	}
}

// pairOf is a certificate that no root of the mesh has signed.
func pairOf(t *testing.T) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(expiring(t))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
