// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package table

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var convertor = Convertor[*metav1.PartialObjectMetadata]{
	Columns: []Column{{Name: "Team", Type: "string", Description: "Whose it is.", Wide: true}},
	Cells:   func(o *metav1.PartialObjectMetadata) []any { return []any{o.Labels["team"]} },
}

func object(name string, age time.Duration) metav1.PartialObjectMetadata {
	o := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "7", Labels: map[string]string{"team": "books"}}}
	if age > 0 {
		o.CreationTimestamp = metav1.NewTime(time.Now().Add(-age))
	}
	return o
}

func TestTableOfAList(t *testing.T) {
	list := &metav1.PartialObjectMetadataList{
		ListMeta: metav1.ListMeta{ResourceVersion: "9", Continue: "more", RemainingItemCount: new(int64(3))},
		Items:    []metav1.PartialObjectMetadata{object("old", 20*time.Hour+30*time.Minute), object("new", 0)},
	}
	table, err := convertor.ConvertToTable(t.Context(), list, &metav1.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	for _, row := range table.Rows {
		rows = append(rows, row.Cells)
	}
	if diff := cmp.Diff([][]any{{"old", "books", "20h"}, {"new", "books", "<unknown>"}}, rows); diff != "" {
		t.Errorf("rows, -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(list.ListMeta, table.ListMeta); diff != "" {
		t.Errorf("the list's place, -want +got:\n%s", diff)
	}
	if len(table.ColumnDefinitions) != 3 || table.ColumnDefinitions[1].Priority != 1 {
		t.Errorf("columns: %v", table.ColumnDefinitions)
	}
}

func TestTableWithoutHeaders(t *testing.T) {
	one := object("one", 0)
	table, err := convertor.ConvertToTable(t.Context(), &one, &metav1.TableOptions{NoHeaders: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.ColumnDefinitions) > 0 || len(table.Rows) != 1 || table.ResourceVersion != "7" {
		t.Errorf("got %d columns, %d rows, resourceVersion %q", len(table.ColumnDefinitions), len(table.Rows), table.ResourceVersion)
	}
}
