// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
)

// TestNothingIsKeptOfAnObjectThatGoesWhileItIsWritten: its name may never come back.
func TestNothingIsKeptOfAnObjectThatGoesWhileItIsWritten(t *testing.T) {
	key := types.NamespacedName{Namespace: "a", Name: "p"}
	policy := &v1alpha1.MeshPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", UID: "1"}}
	var writer *Writer
	target := policyTarget(nil, nil)
	target.Get = func(types.NamespacedName) (Object, error) { return policy, nil }
	target.Write = func(context.Context, Object) error {
		writer.Report(target.Kind, key, nil)
		return nil
	}
	writer = New(&proxies{}, events.NewFakeRecorder(10), target)
	writer.begin()
	writer.Report(target.Kind, key, &report.Report{UID: "1", Accepted: report.Verdict{True: true, Reason: report.ReasonAccepted}})
	if err := writer.write(t.Context(), name{target.Kind, key}); err != nil {
		t.Fatal(err)
	}
	if len(writer.written)+len(writer.reports)+len(writer.carried) > 0 {
		t.Errorf("%v is left", writer.written)
	}
}
