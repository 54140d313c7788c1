// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
)

func TestNothingIsSignedBeforeTheRootIsRead(t *testing.T) {
	a := New(nil, "mesh-system", Renewal{}, nil, events.NewFakeRecorder(1))
	if _, err := a.CA(time.Hour); err == nil {
		t.Error("signs")
	}
	if a.Roots() != nil {
		t.Error("has roots")
	}
}

func TestALostRootStopsIssuingOnceAndKeepsTheRoots(t *testing.T) {
	recorder := events.NewFakeRecorder(10)
	a := New(nil, "mesh-system", Renewal{}, nil, recorder)
	r, err := root.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	whole := state{ring: root.Keyring{Signing: r, Longest: 24 * time.Hour}, bundle: r.PEM()}
	lost := state{fault: ErrRootLost, bundle: r.PEM()}

	for _, s := range []state{whole, lost, lost} {
		a.enter(context.Background(), s)
	}
	if _, err := a.CA(time.Hour); !errors.Is(err, ErrRootLost) {
		t.Errorf("issuer gives %v, want ErrRootLost", err)
	}
	if string(a.Roots()) != string(r.PEM()) {
		t.Error("the roots are forgotten")
	}
	if len(recorder.Events) != 1 {
		t.Fatalf("%d Events, want 1", len(recorder.Events))
	}
	if event := <-recorder.Events; !strings.Contains(event, "IssuingStopped") {
		t.Errorf("Event %q", event)
	}

	a.enter(context.Background(), whole)
	if _, err := a.CA(time.Hour); err != nil {
		t.Errorf("does not sign after the root came back: %v", err)
	}
}

func TestListenersHearOfEveryChangeOfTheRootsAlone(t *testing.T) {
	a := New(nil, "mesh-system", Renewal{}, nil, events.NewFakeRecorder(10))
	var early, late []string
	a.OnRoots(func(roots []byte) {
		// A listener may ask the Authority.
		early = append(early, string(roots)+"="+string(a.Roots()))
	})
	fault := errors.New("x")
	for _, bundle := range []string{"one", "one", "two"} {
		a.enter(context.Background(), state{fault: fault, bundle: []byte(bundle)})
	}
	a.OnRoots(func(roots []byte) { late = append(late, string(roots)) })

	if diff := cmp.Diff([]string{"one=one", "two=two"}, early); diff != "" {
		t.Errorf("early: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"two"}, late); diff != "" {
		t.Errorf("late: -want +got:\n%s", diff)
	}
}

func TestALostRootIsKnownAndNotReady(t *testing.T) {
	a := New(nil, "mesh-system", Renewal{}, nil, events.NewFakeRecorder(1))
	if a.Known() == nil {
		t.Error("known before it is read")
	}
	a.enter(context.Background(), state{fault: ErrRootLost})
	if err := a.Known(); err != nil {
		t.Errorf("lost: got %v, want it known", err)
	}
	if err := a.Ready(); !errors.Is(err, ErrRootLost) {
		t.Errorf("lost: got %v, want ErrRootLost", err)
	}
}
