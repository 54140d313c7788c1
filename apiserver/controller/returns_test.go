// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// Who deletes and makes an account without end cuts the connections of others to the
// ports that admit it so often as its namespace may, and no more.
func TestAnAccountThatComesAndGoesWithoutEndIsHeld(t *testing.T) {
	key := world.Key{Namespace: "bookbuyer", Name: "bookbuyer"}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	reference := world.Reference{Kind: world.KindServiceAccount, Key: key}
	e := loaded(worldtest.Load(t, "testdata/features/allow-service/in.yaml"))
	e.step(t.Context())
	now := time.Now()
	e.returns.now = func() time.Time { return now }
	var waiting []event
	later := func(wait time.Duration, then event) {
		if most := time.Duration(len(waiting)+1) * returnEvery; wait <= 0 || wait > most {
			t.Errorf("it waits %v, want at most %v", wait, most)
		}
		waiting = append(waiting, then)
	}
	sent := 0
	flap := func() {
		e.deleteAccount(key)
		sent += len(e.step(t.Context()).Set)
		e.setAccount(account, later)
		sent += len(e.step(t.Context()).Set)
	}
	for range returnsAtOnce {
		flap()
	}
	if sent < 2*returnsAtOnce || len(waiting) > 0 || !e.World.Reader().Exists(reference) {
		t.Fatalf("%d resources sent, %d times held, before it has come back so often as it may", sent, len(waiting))
	}
	flap()
	sent = 0
	for range 100 {
		flap()
	}
	if sent > 0 || len(waiting) != 1 || e.World.Reader().Exists(reference) {
		t.Errorf("held: %d resources sent, %d times waited for, want none and once", sent, len(waiting))
	}
	waiting[0](e.state)
	if e.step(t.Context()); !e.World.Reader().Exists(reference) {
		t.Error("it has not come back after its time")
	}
	e.deleteAccount(key)
	e.setAccount(account, later)
	e.deleteAccount(key)
	waiting[1](e.state)
	if e.step(t.Context()); e.World.Reader().Exists(reference) || len(e.returns.held) > 0 {
		t.Error("one that was deleted while it was held exists")
	}
}

// A namespace that is restored with all its accounts is whole within a minute.
func TestNoAccountWaitsLongToComeBack(t *testing.T) {
	r := newReturns()
	now := time.Now()
	r.now = func() time.Time { return now }
	for i := range 1000 {
		if wait := r.wait("restored"); wait > longestReturn {
			t.Fatalf("account %d waits %v", i, wait)
		}
	}
}

func TestAnAccountThatNoPolicyAdmitsIsNeverHeld(t *testing.T) {
	e := loaded(worldtest.Load(t, "testdata/features/allow-service/in.yaml"))
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "bookbuyer", Name: "other"}}
	for range 2 * returnsAtOnce {
		e.setAccount(account, func(time.Duration, event) { t.Fatal("it is held") })
		e.deleteAccount(world.Key{Namespace: "bookbuyer", Name: "other"})
	}
	if len(e.returns.gone) > 0 {
		t.Errorf("remembers %v", e.returns.gone)
	}
}
