// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// stored is a policy that the mesh has seen.
func stored() *mesh.MeshPolicy {
	return &mesh.MeshPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "readers", Namespace: "bookstore"},
		Spec: mesh.MeshPolicySpec{
			Action: mesh.PolicyActionAllow,
			Mode:   mesh.PolicyModeEnforce,
			Rules: []mesh.PolicyRule{{
				From: []mesh.PolicySource{{Namespaces: []string{"bookbuyer"}}},
				To:   []mesh.PolicyDestination{{All: &mesh.AllPorts{}}},
			}},
		},
		Status: mesh.MeshPolicyStatus{
			Conditions: []metav1.Condition{{Type: mesh.ConditionAccepted, Status: metav1.ConditionTrue}},
			Proxies:    &mesh.ProxyCounts{Affected: 3, Acked: 2, Disconnected: 1},
		},
	}
}

func TestTable(t *testing.T) {
	seen := stored()
	seen.CreationTimestamp = metav1.NewTime(time.Now().Add(-20*time.Hour - 30*time.Minute))
	seen.Spec.TargetRefs = []mesh.PolicyTargetReference{{Kind: "Service", Name: "bookstore"}, {Kind: "Service", Name: "books"}}
	fresh := &mesh.MeshPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "fresh"},
		Spec: mesh.MeshPolicySpec{
			Action: mesh.PolicyActionDeny, Mode: mesh.PolicyModeEnforce,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "bookstore"}},
		},
	}
	whole := fresh.DeepCopy()
	whole.Name, whole.Spec.Selector = "whole", nil

	list := &mesh.MeshPolicyList{
		Items: []mesh.MeshPolicy{*seen, *fresh, *whole},
	}
	table, err := Kind(system, nil).Table.ConvertToTable(t.Context(), list, &metav1.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, column := range table.ColumnDefinitions {
		columns = append(columns, column.Name)
	}
	var rows [][]any
	for _, row := range table.Rows {
		rows = append(rows, row.Cells)
	}
	wantColumns := []string{"Name", "Action", "Mode", "Targets", "Rules", "Accepted", "Proxies", "Programmed", "Disconnected", "Age"}
	wantRows := [][]any{
		{"readers", "Allow", "Enforce", "Service/bookstore + 1 more", int64(1), "True", "2/3", "Unknown", "1", "20h"},
		{"fresh", "Deny", "Enforce", "app=bookstore", int64(0), "Unknown", "", "Unknown", "", "<unknown>"},
		{"whole", "Deny", "Enforce", "*", int64(0), "Unknown", "", "Unknown", "", "<unknown>"},
	}
	if diff := cmp.Diff(wantColumns, columns); diff != "" {
		t.Errorf("columns, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(wantRows, rows); diff != "" {
		t.Errorf("rows, -want +got:\n%s", diff)
	}
}
