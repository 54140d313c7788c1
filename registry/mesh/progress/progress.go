// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package progress prints, in the cells of a table, how far the mesh is with an
// object.
package progress

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// Condition is a condition's status, or Unknown before the first report.
func Condition(conditions []metav1.Condition, kind string) string {
	if found := meta.FindStatusCondition(conditions, kind); found != nil {
		return string(found.Status)
	}
	return string(metav1.ConditionUnknown)
}

// Proxies is "acked/affected", or empty before the first report.
func Proxies(counts *mesh.ProxyCounts) string {
	if counts == nil {
		return ""
	}
	return fmt.Sprintf("%d/%d", counts.Acked, counts.Affected)
}

// Disconnected is their number, or empty before the first report.
func Disconnected(counts *mesh.ProxyCounts) string {
	if counts == nil {
		return ""
	}
	return strconv.Itoa(int(counts.Disconnected))
}
