// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// stores are a namespace with an HTTP service, bookstore, whose pod "second" is no
// endpoint yet, a TCP service, db, a headless one, shelf, and a pod that calls. The
// proxies of all pods are connected.
type stores struct {
	namespace        string
	store, second    *corev1.Pod
	bookstore, shelf *corev1.Service
	proxies          wire
}

const dbReaders = `
apiVersion: mesh.openservicemesh.io/v1alpha1
kind: MeshPolicy
metadata: {name: db-readers}
spec:
  targetRefs: [{kind: Service, name: db}]
  action: Allow
  rules:
  - from: [{serviceAccounts: [{name: bookstore}]}]
    to: [{ports: [5432], tcp: {}}]
`

func newStores(t *testing.T) stores {
	t.Helper()
	s := stores{namespace: newMeshNamespace(t), proxies: wire{}}
	for _, account := range []string{"bookstore", "bookbuyer", "db"} {
		newAccount(t, s.namespace, account)
	}
	s.store = run(t, newPod(t, s.namespace, "store", "bookstore", labelled("app", "bookstore")), nextAddress())
	s.second = run(t, newPod(t, s.namespace, "second", "bookstore", labelled("app", "bookstore")), nextAddress())
	buyer := run(t, newPod(t, s.namespace, "buyer", "bookbuyer"), nextAddress())
	db := run(t, newPod(t, s.namespace, "db", "db", labelled("app", "db"), func(pod *corev1.Pod) {
		pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "tcp", ContainerPort: 5432}}
	}), nextAddress())
	s.bookstore = expose(t, s.namespace, serviceOf("bookstore", "bookstore", "http", 14001), s.store)
	expose(t, s.namespace, serviceOf("db", "db", "tcp", 5432), db)
	s.shelf = serviceOf("shelf", "bookstore", "http", 14001)
	s.shelf.Spec.ClusterIP = corev1.ClusterIPNone
	expose(t, s.namespace, s.shelf, s.store)
	for _, policy := range []string{strings.ReplaceAll(readers, "namespace: bookbuyer, ", ""), dbReaders} {
		kubectl(t, policy, "create", "-n", s.namespace, "-f", "-")
	}
	for name, pod := range map[string]*corev1.Pod{"store": s.store, "second": s.second, "buyer": buyer, "db": db} {
		s.proxies[name] = follow(t, identify(t, pod), pod)
	}
	return s
}

// everybody is sent the same.
func (s stores) everybody(receipts ...string) sent {
	slices.Sort(receipts)
	want := sent{}
	for name := range s.proxies {
		want[name] = receipts
	}
	return want
}

// Each row of DATAPLANE.md's table of what is sent for what change, routes apart,
// on the real server. In this order: each begins where the one before has ended.
func TestEachChangeSendsItsOwnResourceAlone(t *testing.T) {
	s := newStores(t)
	out := "out/" + s.namespace + "/"
	for _, row := range []struct {
		name   string
		change func(*testing.T) sent
	}{{"an endpoint comes: its port's endpoints", func(t *testing.T) sent {
		publish(t, s.namespace, s.bookstore, s.store, s.second)
		return s.everybody("ClusterLoadAssignment " + out + "bookstore:14001")
	}}, {"an endpoint goes: the same", func(t *testing.T) sent {
		publish(t, s.namespace, s.bookstore, s.store)
		return s.everybody("ClusterLoadAssignment " + out + "bookstore:14001")
	}}, {"an HTTP access rule: the port's routes", func(t *testing.T) sent {
		patchPolicy(t, s.namespace, "readers", `[{"op":"replace","path":"/spec/rules/0/to/0/http/methods","value":["POST"]}]`)
		one := []string{"RouteConfiguration in/14001"}
		return sent{"store": one, "second": one}
	}}, {"a TCP access rule widens: network RBAC and validation context", func(t *testing.T) sent {
		patchPolicy(t, s.namespace, "db-readers", `[{"op":"add","path":"/spec/rules/0/from/0/serviceAccounts/-","value":{"name":"bookbuyer"}}]`)
		return sent{"db": {"Secret in/5432", "TypedExtensionConfig in/5432/allow"}}
	}}, {"it narrows: the same, and the listener whose chain has a new name", func(t *testing.T) sent {
		patchPolicy(t, s.namespace, "db-readers", `[{"op":"remove","path":"/spec/rules/0/from/0/serviceAccounts/1"}]`)
		return sent{"db": {"Listener inbound", "Secret in/5432", "TypedExtensionConfig in/5432/allow"}}
	}}, {"an account that a TCP access rule names is deleted: it narrows", func(t *testing.T) sent {
		if err := host.CoreV1().ServiceAccounts(s.namespace).Delete(t.Context(), "bookstore", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		return sent{"db": {"Listener inbound", "Secret in/5432", "TypedExtensionConfig in/5432/allow"}}
	}}, {"the account is made again: it widens", func(t *testing.T) sent {
		newAccount(t, s.namespace, "bookstore")
		return sent{"db": {"Secret in/5432", "TypedExtensionConfig in/5432/allow"}}
	}}, {"a Service appears: its listener, routes, cluster and endpoints", func(t *testing.T) sent {
		another := expose(t, s.namespace, serviceOf("another", "bookstore", "http", 14001), s.store)
		return s.everybody("Listener out/"+another.Spec.ClusterIP+":14001", "RouteConfiguration "+out+"another:14001",
			"Cluster "+out+"another:14001", "ClusterLoadAssignment "+out+"another:14001")
	}}, {"an external address: a listener named by it", func(t *testing.T) sent {
		address := nextAddress()
		patch := []byte(`{"spec":{"externalIPs":["` + address + `"]}}`)
		if _, err := host.CoreV1().Services(s.namespace).Patch(t.Context(), "another", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		return s.everybody("Listener out/" + address + ":14001")
	}}, {"a headless endpoint: the shared listener, in place", func(t *testing.T) sent {
		publish(t, s.namespace, s.shelf, s.store, s.second)
		return s.everybody("Listener outbound")
	}}, {"a pod's address: the same", func(t *testing.T) sent {
		run(t, newPod(t, s.namespace, "third", "bookstore", labelled("app", "bookstore")), nextAddress())
		return s.everybody("Listener outbound")
	}}} {
		t.Run(row.name, func(t *testing.T) {
			s.proxies.sends(t, func() sent { return row.change(t) })
		})
	}
}

// The row of the workload roots. A TLS context takes one validation context by SDS,
// so that of each port's TCP chain carries the roots beside its names, and is sent too.
func TestWorkloadRootsAreSentAsSecretsAlone(t *testing.T) {
	s := newStores(t)
	// Port 0 is every port that the workload does not list.
	http, tcp := []string{"Secret in/0", "Secret in/14001", "Secret roots"}, []string{"Secret in/0", "Secret in/5432", "Secret roots"}
	want := sent{"store": http, "second": http, "buyer": http, "db": tcp}
	old := signingRoot(t)
	s.proxies.sends(t, func() sent {
		annotateRoot(t, renewAnnotation, "now")
		return want
	})
	await.Eventually(t, soon, "the next root signing", func(context.Context) error {
		if signingRoot(t).Equal(old) {
			return errors.New("the old one does")
		}
		return nil
	})
	s.proxies.sends(t, func() sent {
		annotateRoot(t, untilAnnotation, time.Now().Format(time.RFC3339))
		return want
	})
	await.Eventually(t, soon, "the old root leaving the bundle", publishes(1))
}
