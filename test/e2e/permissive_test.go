// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// direct is a URL of the HTTP server by the pod's own address, which outsiders dial.
func direct(shop *cluster.Shop) string {
	return "http://" + net.JoinHostPort(shop.IP, "8080") + "/books"
}

// It changes the MeshConfig, so it is not parallel.
func TestMTLSOfTheMeshAndWhatPodsMayLoosen(t *testing.T) {
	shop := live.Shop(t)
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, outsider, "no answer", direct(shop))
	live.Configure(t, `{"spec":{"traffic":{"mtls":"Permissive"}}}`)
	wantGet(t, outsider, "200", direct(shop))
	wantGet(t, buyer, "200", shop.URL("/books"))
	shop.Annotate(t, "mtls", "Strict")
	wantGet(t, outsider, "no answer", direct(shop))

	shop.Annotate(t, "mtls", "Permissive")
	wantGet(t, outsider, "200", direct(shop))
	live.Configure(t, `{"spec":{"traffic":{"mtls":"Strict"}}}`)
	wantGet(t, outsider, "no answer", direct(shop))
	wantEvent(t, shop.Namespace, shop.Name, "podsMayLoosen does not name mtls")
	live.Configure(t, `{"spec":{"traffic":{"podsMayLoosen":["mtls"]}}}`)
	wantGet(t, outsider, "200", direct(shop))
	wantGet(t, buyer, "200", shop.URL("/books"))
}

func TestMTLSOfTheMostSpecificLevelWins(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	wantGet(t, buyer, "200", shop.URL("/books"))
	live.AnnotateNamespace(t, shop.Namespace, "mtls", "Permissive")
	wantGet(t, outsider, "200", direct(shop))
	wantGet(t, outsider, "200", "http://"+net.JoinHostPort(shop.IP6, "8080")+"/books")
	shop.Annotate(t, "mtls", "Strict")
	wantGet(t, outsider, "no answer", direct(shop))
	shop.Annotate(t, "mtls-ports", "8080=Permissive")
	wantGet(t, outsider, "200", direct(shop))
	before := connections(t, shop, "9001")
	wantGet(t, outsider, "no answer", "http://"+net.JoinHostPort(shop.IP, "9001")+"/")
	if got := connections(t, shop, "9001"); got != before {
		t.Errorf("the server took %d connections in plaintext at a port that is Strict", got-before)
	}
	shop.Annotate(t, "mtls-ports", "8080=permissive")
	wantGet(t, outsider, "no answer", direct(shop))
	wantEvent(t, shop.Namespace, shop.Name, `it counts as Strict`)
	wantGet(t, buyer, "200", shop.URL("/books"))
}

// A Namespace opens one port of all its pods in one step, whether pods may loosen or
// not; a pod that says Strict stays so.
func TestANamespaceOpensOnePortToCallersOutsideTheMesh(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	other := "http://" + net.JoinHostPort(shop.IP, "9001") + "/"
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, outsider, "no answer", direct(shop))
	patch := `{"spec":{"type":"NodePort"}}`
	kubectl(t, "", "patch", "service", "-n", shop.Namespace, "shop", "-p", patch)
	wantEventOf(t, shop.Namespace, "shop", "OutsideCallersRefused", `mesh.openservicemesh.io/mtls-ports: "8080=Permissive,8081=Permissive" of the Namespace `+shop.Namespace)

	kubectl(t, "", "annotate", "namespace", shop.Namespace, "mesh.openservicemesh.io/mtls-ports=8080=Permissive,8081=Permissive")
	wantGet(t, outsider, "200", direct(shop))
	wantGet(t, outsider, "200", "http://"+net.JoinHostPort(shop.IP6, "8080")+"/books")
	wantGet(t, buyer, "200", shop.URL("/books"))
	before := connections(t, shop, "9001")
	wantGet(t, outsider, "no answer", other)
	if got := connections(t, shop, "9001"); got != before {
		t.Errorf("the server took %d connections in plaintext at a port that the Namespace does not open", got-before)
	}
	shop.Annotate(t, "mtls", "Strict")
	wantGet(t, outsider, "no answer", direct(shop))
	shop.Annotate(t, "mtls-ports", "8080=Permissive")
	wantGet(t, outsider, "200", direct(shop))
	live.AnnotateNamespace(t, shop.Namespace, "mtls-ports", "8080=permissive")
	wantGet(t, outsider, "no answer", direct(shop))
}

func TestAccessOfTheMostSpecificLevelWins(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	other := buyer.Hold(t, shop.Other())
	live.AnnotateNamespace(t, shop.Namespace, "access", "DefaultDeny")
	wantGet(t, buyer, "403", shop.URL("/books"))
	other.Await(t, soon, "closed after 0 bytes", "new")
	live.AnnotateNamespace(t, shop.Namespace, "access", "Open")
	wantGet(t, buyer, "200", shop.URL("/books"))
	other.Await(t, soon, "echo", "new")
	shop.Annotate(t, "access-ports", "8080=DefaultDeny")
	wantGet(t, buyer, "403", shop.URL("/books"))
	// Another port of the pod is as open as it was.
	wantCall(t, shop, gets(buyer, "OK", "grpc", "Check"))
	other.Await(t, soon, "echo", "new")
	shop.Annotate(t, "access-ports", "")
	wantGet(t, buyer, "200", shop.URL("/books"))
}

func TestAnonymousCallersMatchOnlyWhatSaysSo(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.AnnotateNamespace(t, shop.Namespace, "mtls", "Permissive")
	wantGet(t, outsider, "200", direct(shop))
	rule := func(from string) string {
		return "action: Allow\nrules: [{from: [" + from + "], to: [{all: {}}]}]"
	}
	live.Policy(t, shop.Namespace, "callers", rule("{authenticated: {}}"))
	wantGet(t, outsider, "403", direct(shop))
	wantGet(t, buyer, "200", shop.URL("/books"))
	before := connections(t, shop, "9001")
	wantGet(t, outsider, "no answer", "http://"+net.JoinHostPort(shop.IP, "9001")+"/")
	if got := connections(t, shop, "9001"); got != before {
		t.Errorf("the server took %d connections of callers whom no Allow admits", got-before)
	}
	live.Policy(t, shop.Namespace, "callers", rule(fmt.Sprintf("{ipBlocks: [{cidr: %s/32}]}", outsider.IP)))
	wantGet(t, outsider, "403", direct(shop))
	live.Policy(t, shop.Namespace, "callers", rule(fmt.Sprintf("{anonymous: {}, ipBlocks: [{cidr: %s/32}]}", outsider.IP)))
	wantGet(t, outsider, "200", direct(shop))
	wantGet(t, outsider, "200", "--header=X-Forwarded-For: 198.18.0.250", direct(shop))
	wantGet(t, buyer, "403", shop.URL("/books"))
	live.Policy(t, shop.Namespace, "callers", rule("{anonymous: {}}, {authenticated: {}}"))
	wantGet(t, outsider, "200", direct(shop))

	deny := fmt.Sprintf("action: Deny\nrules: [{from: [{namespaces: [%s]}]}]", thief.Namespace)
	live.Policy(t, shop.Namespace, "not-the-thief", deny)
	wantGet(t, outsider, "403", direct(shop))
	wantGet(t, thief, "403", shop.URL("/books"))
	wantGet(t, buyer, "200", shop.URL("/books"))
	live.Policy(t, shop.Namespace, "not-the-thief", deny+"\nonAnonymous: Ignore")
	wantGet(t, outsider, "200", direct(shop))
	wantGet(t, thief, "403", shop.URL("/books"))
}

// Requests of meshed callers go on through each change; what came in plaintext
// ends once it may not come in any more.
func TestAChangeOfMTLSOnConnectionsThatWereOpenedBefore(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	meshed := buyer.Probe(t, "200", shop.URL("/books"), "--every=20ms")
	live.AnnotateNamespace(t, shop.Namespace, "mtls", "Permissive")
	wantGet(t, outsider, "200", direct(shop))
	plain := outsider.Probe(t, "200", direct(shop), "--every=20ms")
	live.AnnotateNamespace(t, shop.Namespace, "mtls", "")
	await.State(t, drainTime, func() (string, bool) {
		fresh, old := plain.Outcomes("new"), plain.Outcomes("old")
		return fmt.Sprintf("new: %v, old: %v", fresh, old),
			!strings.HasPrefix(fresh[len(fresh)-1], "200") && !strings.HasPrefix(old[len(old)-1], "200")
	})
	for _, connection := range []string{"new", "old"} {
		if got := meshed.Outcomes(connection); !slices.Equal(got, []string{"200"}) {
			t.Errorf("a meshed caller's requests, %s connection: got %v, want nothing but 200", connection, got)
		}
	}
}

// The pod says so for the one port: what speaks first cannot be told from a
// caller who waits, so nothing is waited for, and mutual TLS is not recognised.
func TestADeclaredServerFirstPortThatIsPermissiveIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	patch := []byte(`{"spec":{"ports":[{"port":9000,"protocol":"TCP","appProtocol":"mesh.openservicemesh.io/server-first"}]}}`)
	if _, err := live.Core.CoreV1().Services(shop.Namespace).Patch(t.Context(), "echo", types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	live.AnnotateNamespace(t, shop.Namespace, "mtls", "Permissive")
	shop.Annotate(t, "mtls-ports", "9000=Permissive")
	silent := outsider.Watch(t, "hold", net.JoinHostPort(shop.IP, "9000"))
	silent.Await(t, soon, "echo", "new")
	wantGet(t, buyer, "200", shop.URL("/books"))
}

// wantEvent waits for an Event about the annotations of a pod of a namespace.
func wantEvent(t *testing.T, namespace, name, text string) {
	t.Helper()
	wantEventOf(t, namespace, name, "TrafficAnnotation", text)
}

func wantEventOf(t *testing.T, namespace, name, reason, text string) {
	t.Helper()
	await.State(t, soon, func() (string, bool) {
		list, err := live.Core.EventsV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err.Error(), false
		}
		var notes []string
		for _, event := range list.Items {
			if event.Regarding.Name == name && event.Reason == reason {
				notes = append(notes, event.Note)
			}
		}
		return fmt.Sprintf("Events %q", notes), slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, text) })
	})
}
