// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// silence is how long nothing must come to a proxy: what is to come takes milliseconds.
const silence = 3 * time.Second

// acceptCommand is what the sentence about a foreign database tells an operator to run.
var acceptCommand = regexp.MustCompile(`kubectl (-n mesh-system annotate secret mesh-root --overwrite mesh\.openservicemesh\.io/accept-database=\S+)`)

// The data directory is emptied and the server started again.
func TestLostDatabaseOpensNothingUntilItIsAccepted(t *testing.T) {
	s := newShop(t)
	kubectl(t, readers, "create", "-n", s.namespace, "-f", "-")
	store := follow(t, s.atStore, s.store)
	routes := "in/" + inboundView(t, store) + "/14001"
	await.Eventually(t, soon, "the routes that refuse", store.has(routeType, routes))
	await.Eventually(t, soon, "the policy's own rule", func(context.Context) error { return mentions(store, routes, "readers") })
	before, err := store.Resource(routeType, routes)
	if err != nil {
		t.Fatal(err)
	}
	config := kubectl(t, "", "get", "meshconfig", "default", "-o", "yaml")
	policies := kubectl(t, "", "get", "meshpolicies", "-n", s.namespace, "-o", "yaml")

	stopForTest(t)
	lost := filepath.Join(server.DataDir, "etcd")
	if err := os.Rename(lost, lost+".lost"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.RemoveAll(lost), os.Rename(lost+".lost", lost)); err != nil {
			t.Error(err)
		}
	})
	launchAgain(t, server)
	await.Eventually(t, soon, "the API", func(ctx context.Context) error {
		_, err := kube.Kubectl(ctx, "", "get", "meshpolicies", "-A")
		return err
	})
	wantHeld(t)
	if _, err := client.MeshV1alpha1().MeshConfigs().Get(t.Context(), "default", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("MeshConfig default: got %v, want that it is not there", err)
	}
	_, err = host.CoreV1().Pods(s.namespace).Create(t.Context(), podOf("early", "bookbuyer"), metav1.CreateOptions{})
	if err == nil || !strings.Contains(err.Error(), "no pod is injected") {
		t.Errorf("a pod of the mesh: got %v, want the sentence", err)
	}
	wantNothing(t, s)

	// What was backed up comes back before anything of it is told to proxies.
	kubectl(t, config, "apply", "-f", "-")
	kubectl(t, policies, "apply", "-f", "-")
	wantNothing(t, s)

	accept(t, server)
	again := follow(t, s.atStore, s.store)
	after, err := again.Resource(routeType, routes)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(before.GetResource(), after.GetResource()) {
		t.Error("the routes are others than before the loss")
	}
	await.Eventually(t, soon, "an Event saying so", hasEvents("DatabaseAccepted"))
	newPod(t, s.namespace, "late", "bookbuyer")
	if err := shows("mesh_database_confirmed 1")(t.Context()); err != nil {
		t.Error(err)
	}
}

// An etcd elsewhere is emptied while the server runs.
func TestDatabaseThatIsEmptiedUnderTheServerChangesNothingForProxies(t *testing.T) {
	const prefix = "/registry/emptied"
	takeOver(t, "emptied", "--etcd-servers="+harness.EtcdURL, "--etcd-prefix="+prefix)
	s := newShop(t)
	kubectl(t, readers, "create", "-n", s.namespace, "-f", "-")
	store := follow(t, s.atStore, s.store)
	routes := "in/" + inboundView(t, store) + "/14001"
	await.Eventually(t, soon, "the policy's own rule", func(context.Context) error { return mentions(store, routes, "readers") })

	etcd, err := clientv3.New(clientv3.Config{Endpoints: []string{harness.EtcdURL}})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	if _, err := etcd.Delete(t.Context(), prefix, clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	wantHeld(t)
	time.Sleep(silence)
	if err := mentions(store, routes, "readers"); err != nil {
		t.Errorf("the proxy has lost its rule: %v", err)
	}
	if _, err := policiesIn(s.namespace).Get(t.Context(), "readers", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the policy: got %v, want that it is gone", err)
	}

	// Who accepts has what is there, which is nothing.
	accept(t, server)
	await.Eventually(t, soon, "the end of the rule", func(context.Context) error {
		if mentions(store, routes, "readers") == nil {
			return errors.New("it is there")
		}
		return nil
	})
}

func TestExternalEtcdServes(t *testing.T) {
	takeOver(t, "external", "--etcd-servers="+harness.EtcdURL)
	newPolicy(t, newNamespace(t))
}

// takeOver puts a server with a database of its own in the place of the tests' one,
// until the test ends, and accepts its database.
func takeOver(t *testing.T, name string, flags ...string) {
	t.Helper()
	stopForTest(t)
	usual := server
	other := usual.Sibling(name, harness.MeshAddress, flags...)
	launchAgain(t, other)
	server = other
	t.Cleanup(func() { server = usual })
	wantHeld(t)
	accept(t, other)
	await.Eventually(t, soon, "a MeshConfig", func(ctx context.Context) error {
		_, err := client.MeshV1alpha1().MeshConfigs().Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// stopForTest stops the server, which starts again when the test ends and finds its
// database confirmed.
func stopForTest(t *testing.T) {
	t.Helper()
	usual := server
	t.Cleanup(func() {
		forgetDatabase(t)
		if err := usual.Start(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := usual.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// forgetDatabase has the next server with objects take its own for the mesh's.
func forgetDatabase(t *testing.T) {
	t.Helper()
	patch := `{"metadata":{"annotations":{"mesh.openservicemesh.io/database":null}}}`
	_, err := host.CoreV1().Secrets(harness.SystemNamespace).Patch(context.Background(), harness.RootSecret, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Error(err)
	}
}

// launchAgain runs a server until the test ends, and waits for what the kubelet asks.
func launchAgain(t *testing.T, m *harness.Mesh) {
	t.Helper()
	if err := m.Launch(); err != nil {
		t.Fatal(err)
	}
	endWithTest(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if err := m.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// wantHeld demands that everything says that the database is not the mesh's.
func wantHeld(t *testing.T) {
	t.Helper()
	await.Eventually(t, soon, "readyz failing", func(ctx context.Context) error {
		if body, err := server.Ask(ctx, "/readyz"); err == nil || !strings.Contains(body, "[-]mesh-database failed") {
			return fmt.Errorf("readyz says %q, and the error %w", body, errors.Join(err, errors.New("want mesh-database to fail")))
		}
		return nil
	})
	if body, err := server.Ask(t.Context(), "/readyz/mesh-database"); err == nil || !acceptCommand.MatchString(body) {
		t.Errorf("the check says %q, want the command", body)
	}
	if _, err := server.Ask(t.Context(), "/readyz?exclude=mesh-database"); err != nil {
		t.Errorf("what the kubelet asks: %v", err)
	}
	await.Eventually(t, soon, "a metric saying so", shows("mesh_database_confirmed 0"))
	await.Eventually(t, soon, "an Event saying so", hasEvents("DatabaseLost"))
}

// wantNothing demands that proxies which come back are sent nothing.
func wantNothing(t *testing.T, s shop) {
	t.Helper()
	for pod, certificate := range map[*corev1.Pod]*proxy{s.store: connect(t, s.atStore, idOf(s.store)), s.buyer: connect(t, s.atBuyer, idOf(s.buyer))} {
		certificate.subscribe(listenerType, nil, "*")
		certificate.subscribe(clusterType, nil, "*")
		defer func() {
			if got := certificate.told(0); len(got) > 0 {
				t.Errorf("%s was sent %v", pod.Name, got)
			}
		}()
	}
	time.Sleep(silence)
}

// accept runs what the check tells an operator to run, and waits until it has acted.
func accept(t *testing.T, m *harness.Mesh) {
	t.Helper()
	body, err := m.Ask(t.Context(), "/readyz/mesh-database")
	found := acceptCommand.FindStringSubmatch(body)
	if err == nil || found == nil {
		t.Fatalf("the check says %q (%v), want a command", body, err)
	}
	kubectl(t, "", strings.Fields(found[1])...)
	await.Eventually(t, soon, "readiness", func(ctx context.Context) error {
		_, err := m.Ask(ctx, "/readyz")
		return err
	})
}

// inboundView is the view that a proxy's inbound resources are named by, once it has
// the routes of a port.
func inboundView(t *testing.T, p *proxy) string {
	t.Helper()
	var view string
	await.Eventually(t, soon, "inbound routes", func(context.Context) error {
		for name := range p.Versions(routeType) {
			if rest, ok := strings.CutPrefix(name, "in/"); ok {
				view, _, _ = strings.Cut(rest, "/")
				return nil
			}
		}
		return fmt.Errorf("none among %v", p.Versions(routeType))
	})
	return view
}

// mentions tells whether a resource of a proxy has a word in it.
func mentions(p *proxy, name, word string) error {
	resource, err := p.Resource(routeType, name)
	if err != nil {
		return err
	}
	if !strings.Contains(string(resource.GetResource().GetValue()), word) {
		return fmt.Errorf("%s does not mention %s", name, word)
	}
	return nil
}
