// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package table prints objects as kubectl get shows them: rows made by the
// server. A kind says which columns it has and how its cells are filled.
package table

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Column is one column. A wide one is shown by kubectl get -o wide alone.
type Column struct {
	Name, Type, Description string
	Wide                    bool
}

// Convertor makes tables of the kind whose objects are of type O. Name comes first and Age last, on their own.
type Convertor[O runtime.Object] struct {
	// Columns stand between Name and Age.
	Columns []Column
	// Cells gives one value for each of Columns.
	Cells func(O) []any
}

var _ rest.TableConvertor = Convertor[runtime.Object]{}

// ConvertToTable gives a table of an object or of a list.
func (c Convertor[O]) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{}
	if opts, ok := options.(*metav1.TableOptions); !ok || !opts.NoHeaders {
		table.ColumnDefinitions = c.definitions()
	}
	if err := c.addRows(table, object); err != nil {
		return nil, err
	}
	if list, err := meta.ListAccessor(object); err == nil {
		table.ResourceVersion = list.GetResourceVersion()
		table.Continue = list.GetContinue()
		table.RemainingItemCount = list.GetRemainingItemCount()
	} else if one, err := meta.CommonAccessor(object); err == nil {
		table.ResourceVersion = one.GetResourceVersion()
	}
	return table, nil
}

func (c Convertor[O]) definitions() []metav1.TableColumnDefinition {
	docs := metav1.ObjectMeta{}.SwaggerDoc()
	definitions := []metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: docs["name"]},
	}
	for _, column := range c.Columns {
		definition := metav1.TableColumnDefinition{
			Name: column.Name, Type: column.Type, Description: column.Description,
		}
		if column.Wide {
			definition.Priority = 1
		}
		definitions = append(definitions, definition)
	}
	return append(definitions, metav1.TableColumnDefinition{
		Name: "Age", Type: "string", Description: docs["creationTimestamp"],
	})
}

func (c Convertor[O]) addRows(table *metav1.Table, object runtime.Object) error {
	if meta.IsListType(object) {
		return meta.EachListItem(object, func(item runtime.Object) error { return c.addRow(table, item) })
	}
	return c.addRow(table, object)
}

func (c Convertor[O]) addRow(table *metav1.Table, object runtime.Object) error {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	cells := append([]any{accessor.GetName()}, c.Cells(object.(O))...)
	cells = append(cells, age(accessor.GetCreationTimestamp()))
	table.Rows = append(table.Rows, metav1.TableRow{
		Cells:  cells,
		Object: runtime.RawExtension{Object: object},
	})
	return nil
}

func age(created metav1.Time) string {
	if created.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(created.Time))
}
