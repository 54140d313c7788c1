// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/telemetry"
)

// Audits is what proxies have counted of Audit policies.
type Audits interface {
	Counts(policy string) telemetry.Counts
}

// WithAudits has the Writer say what Audit policies would have done. It is
// called before Run.
func (w *Writer) WithAudits(audits Audits) *Writer {
	w.audits = audits
	return w
}

// Counted takes in that the counts of a policy, "<namespace>/<name>", have changed.
func (w *Writer) Counted(policy string) {
	namespace, name, _ := strings.Cut(policy, "/")
	w.queue.Add(types.NamespacedName{Namespace: namespace, Name: name})
}

// auditOf is nil for a policy that is enforced.
func (w *Writer) auditOf(key types.NamespacedName, audit bool) *v1alpha1.AuditCounts {
	if !audit || w.audits == nil {
		return nil
	}
	counts := w.audits.Counts(key.String())
	return &v1alpha1.AuditCounts{Allowed: counts.Allowed, Denied: counts.Denied}
}
