// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"errors"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
)

func TestNewMeshRemembersItsDatabaseFromTheStart(t *testing.T) {
	m := newMesh(t)
	m.wantDatabase(t, "first")
	if got := m.secret(t).Annotations[root.DatabaseAnnotation]; got != "first" {
		t.Errorf("the Secret remembers %q", got)
	}
}

func TestAnotherDatabaseIsHeldUntilItIsAcceptedByItsID(t *testing.T) {
	m := newMesh(t)
	m.present = root.Database{ID: "second"}
	m.restart(t)
	heard := 0
	m.OnDatabase(func() { heard++ })
	m.wantForeign(t, "annotate secret mesh-root --overwrite "+root.AcceptAnnotation+"=second")
	if event := <-m.events.Events; !strings.Contains(event, "DatabaseLost") || !strings.Contains(event, "this is second, and the mesh has used first") {
		t.Errorf("got Event %q", event)
	}
	if err := m.Ready(); err != nil {
		t.Errorf("issuing stops as well: %v", err)
	}

	m.annotate(t, root.AcceptAnnotation, "third")
	m.present.Used = true // policies were applied again
	m.reconcile(t)
	m.wantForeign(t, "=second")

	m.annotate(t, root.AcceptAnnotation, "second")
	m.reconcile(t)
	m.wantDatabase(t, "second")
	if event := <-m.events.Events; !strings.Contains(event, "DatabaseAccepted") {
		t.Errorf("got Event %q", event)
	}
	if _, there := m.secret(t).Annotations[root.AcceptAnnotation]; there || heard != 1 {
		t.Errorf("the operator's annotation is there: %t; listeners heard of %d changes, want 1", there, heard)
	}
	m.restart(t)
	m.wantDatabase(t, "second")
}

func TestRestoredDatabaseNeedsNoWord(t *testing.T) {
	m := newMesh(t)
	m.present = root.Database{ID: "second"}
	m.restart(t)
	m.wantForeign(t, "second")
	m.present = root.Database{ID: "first", Used: true}
	m.restart(t)
	m.wantDatabase(t, "first")
}

// A Secret that an older server wrote, or that was restored without its annotations.
func TestDatabaseThatNothingRemembersIsTheMeshsIfItHasObjects(t *testing.T) {
	m := newMesh(t)
	m.annotate(t, root.DatabaseAnnotation, "")
	m.present.Used = true
	m.restart(t)
	m.wantDatabase(t, "first")
}

func TestEmptyDatabaseThatNothingRemembersIsHeldAlsoOnceItHasObjects(t *testing.T) {
	m := newMesh(t)
	m.annotate(t, root.DatabaseAnnotation, "")
	m.restart(t)
	m.wantForeign(t, "first was empty")
	m.present.Used = true
	m.restart(t)
	m.wantForeign(t, "first was empty")
	m.annotate(t, root.AcceptAnnotation, "first")
	m.reconcile(t)
	m.wantDatabase(t, "first")
}

func TestLostRootLeavesTheVerdictAsItWas(t *testing.T) {
	m := newMesh(t)
	secret := m.secret(t)
	m.api.remove("mesh-root")
	m.reconcile(t)
	m.wantDatabase(t, "first")

	// A server that starts without the root knows of no database, until the root is back.
	m.present = root.Database{ID: "second"}
	m.restart(t)
	if _, fault := m.Database(); !errors.Is(fault, errUnread) {
		t.Errorf("without the root: got %v, want that it was not read", fault)
	}
	m.api.put(t, secret)
	m.reconcile(t)
	m.wantForeign(t, "second")
}

func TestDatabaseThatDoesNotAnswerChangesNoVerdict(t *testing.T) {
	m := newMesh(t)
	m.silent = true
	m.reconcile(t)
	m.wantDatabase(t, "first")
	m.Authority = New(m.client, "mesh-system", Renewal{}, m.database, m.events)
	if err := m.Reconcile(t.Context()); err == nil {
		t.Error("the start does not wait for it")
	}
}

func (m *mesh) wantDatabase(t *testing.T, id string) {
	t.Helper()
	if got, fault := m.Database(); got != id || fault != nil {
		t.Errorf("got database %q and %v, want %q confirmed", got, fault, id)
	}
}

func (m *mesh) wantForeign(t *testing.T, words string) {
	t.Helper()
	if _, fault := m.Database(); !errors.Is(fault, root.ErrForeignDatabase) || !strings.Contains(fault.Error(), words) {
		t.Errorf("got %v, want a foreign database with %q", fault, words)
	}
}
