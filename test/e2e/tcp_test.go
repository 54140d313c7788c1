// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// drainTime is MeshConfig's default, with what a busy machine adds.
const drainTime = 30*time.Second + 10*time.Second

func admitTCP(namespace, account string) string {
	return fmt.Sprintf(`
targetRefs: [{kind: Service, name: echo}]
action: Allow
rules:
- from: [{serviceAccounts: [{namespace: %s, name: %s}]}]
  to: [{ports: [9000], tcp: {}}]
`, namespace, account)
}

func TestTCPIsClosedWithoutAByte(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "echo", admitTCP(buyer.Namespace, buyer.Account))
	echo := buyer.Hold(t, shop.Echo())
	other := buyer.Hold(t, shop.Other())
	web := buyer.Probe(t, "200", shop.URL("/"), "--every=50ms")

	live.WritePolicy(t, shop.Namespace, "echo", admitTCP(thief.Namespace, thief.Account))
	echo.Await(t, soon, "closed after 0 bytes", "new")
	accepted := counted(t, shop, "9000")
	await.State(t, drainTime, func() (string, bool) {
		outcomes := echo.Outcomes("old")
		last := outcomes[len(outcomes)-1]
		return "the old connection: " + last, strings.HasPrefix(last, "closed after")
	})
	if got := counted(t, shop, "9000"); got != accepted {
		t.Errorf("the server took %d connections of a caller who may not call", got-accepted)
	}
	if got := echo.Outcomes("new"); len(got) != 2 {
		t.Errorf("new connections: %v, want echo, then closed for good", got)
	}
	for name, watch := range map[string]*cluster.Watch{"TCP": other, "HTTP": web} {
		for _, connection := range []string{"new", "old"} {
			if got := watch.Outcomes(connection); len(got) != 1 {
				t.Errorf("%s on another port, %s connection: %v, want no change", name, connection, got)
			}
		}
	}

	live.WritePolicy(t, shop.Namespace, "echo", admitTCP(buyer.Namespace, buyer.Account))
	echo.Await(t, soon, "echo", "new")
}

func TestTCPWideningCutsNoConnection(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "echo", admitTCP(buyer.Namespace, buyer.Account))
	// Whom nobody admits is refused from now on: the chain of the open port is
	// replaced, and what is opened next belongs to the new one.
	refused := thief.Watch(t, "hold", shop.Echo())
	refused.Await(t, soon, "closed after 0 bytes", "new")
	held := buyer.Hold(t, shop.Echo())

	live.Policy(t, shop.Namespace, "echo-too", admitTCP(thief.Namespace, thief.Account))
	refused.Await(t, soon, "echo", "new")
	// A chain that was replaced would end its connections within the drain time.
	time.Sleep(drainTime)
	if got := held.Outcomes("old"); len(got) != 1 {
		t.Errorf("the connection of a caller who may call all the time: %v", got)
	}
}

func TestDenyClosesTCPOnceTheCallerSpeaks(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	denied := thief.Watch(t, "hold", shop.Echo())
	denied.Await(t, soon, "echo", "new")
	live.Policy(t, shop.Namespace, "not-the-thief", fmt.Sprintf(`
targetRefs: [{kind: Service, name: echo}]
action: Deny
rules: [{from: [{namespaces: [%s]}]}]
`, thief.Namespace))
	await.State(t, soon, func() (string, bool) {
		outcomes := denied.Outcomes("new")
		last := outcomes[len(outcomes)-1]
		return "new connections: " + last, strings.HasPrefix(last, "closed after")
	})
	buyer.Hold(t, shop.Echo())
}

func TestAnHTTPGrantOpensNoTCPPort(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "web", "action: Allow\nrules: [{from: [{authenticated: {}}], to: [{http: {methods: [GET]}}]}]")
	wantGet(t, buyer, "200", shop.URL("/"))
	held := buyer.Watch(t, "hold", shop.Echo())
	held.Await(t, soon, "closed after 0 bytes", "new", "old")
}

// connections counts what the server of a TCP port has accepted.
func connections(t *testing.T, shop *cluster.Shop, port string) int {
	t.Helper()
	log, err := shop.Log(context.Background(), "echo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(log, fmt.Sprintf("accepted a connection on :%s\n", port))
}

// counted is connections once no more come: what the server says reaches its log
// a little later.
func counted(t *testing.T, shop *cluster.Shop, port string) int {
	t.Helper()
	now := -1
	await.State(t, soon, func() (string, bool) {
		before := now
		now = connections(t, shop, port)
		time.Sleep(time.Second)
		return fmt.Sprintf("connections come still: %d, then %d", before, now), now == before
	})
	return now
}
