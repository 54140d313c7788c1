// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

// Reasons of the condition Programmed.
const (
	ReasonProgrammed     = "Programmed"
	ReasonPending        = "Pending"
	ReasonRejected       = "RejectedByProxy"
	ReasonTargetNotFound = compile.ReasonTargetNotFound
	ReasonInvalid        = compile.ReasonInvalid
	// ReasonTCPPort is that of the condition DeniesAtFirstByte.
	ReasonTCPPort = "TCPPort"
)

// maxMessage is how many bytes a condition's message has at most; the API
// allows 32768.
const maxMessage = 2048

func (w *Writer) writePolicy(ctx context.Context, key types.NamespacedName) error {
	w.mu.Lock()
	report, ok := w.reports[key]
	w.mu.Unlock()
	if !ok {
		return nil
	}
	policy, err := w.policies.MeshPolicies(key.Namespace).Get(key.Name)
	if err != nil || policy.UID != report.UID || policy.Generation != report.Generation {
		// Another report is on its way.
		return err
	}
	var views []xds.ViewState
	for _, view := range report.Views {
		views = append(views, quotable(key.Namespace, w.proxies.View(view)))
	}
	left := w.settled.Sub(w.now())
	if left > 0 {
		w.queue.AddAfter(key, left)
	}
	status := policyStatus(policy.Status, report, views, left > 0)
	status.Audit = w.auditOf(key, report.Audit)
	if apiequality.Semantic.DeepEqual(policy.Status, status) {
		return nil
	}
	before := policy.Status.Conditions
	policy = policy.DeepCopy()
	policy.Status = status
	if _, err := w.client.MeshV1alpha1().MeshPolicies(key.Namespace).UpdateStatus(ctx, policy, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("update the status of MeshPolicy %s: %w", key, err)
	}
	w.tell(policy, before, status.Conditions)
	w.wrote(key)
	return nil
}

// policyStatus says what came of a policy: what the report says of itself, and
// what the proxies of the views that it affects have answered. While returning,
// those that are not connected are waited for too.
func policyStatus(old v1alpha1.MeshPolicyStatus, report compile.Report, views []xds.ViewState, returning bool) v1alpha1.MeshPolicyStatus {
	out := *old.DeepCopy()
	proxies, nacks := total(views)
	out.Proxies = &proxies
	programmed := programmed(old, report, proxies, nacks, returning)
	accepted := metav1.Condition{
		Type:    v1alpha1.ConditionAccepted,
		Status:  metav1.ConditionFalse,
		Reason:  report.Reason,
		Message: report.Message,
	}
	if report.Accepted {
		accepted.Status = metav1.ConditionTrue
	}
	for _, c := range []metav1.Condition{accepted, programmed} {
		c.ObservedGeneration = report.Generation
		c.Message = cut(c.Message)
		meta.SetStatusCondition(&out.Conditions, c)
	}
	if report.FirstByte == "" {
		meta.RemoveStatusCondition(&out.Conditions, v1alpha1.ConditionDeniesAtFirstByte)
		return out
	}
	meta.SetStatusCondition(&out.Conditions, metav1.Condition{
		Type:               v1alpha1.ConditionDeniesAtFirstByte,
		Status:             metav1.ConditionTrue,
		ObservedGeneration: report.Generation,
		Reason:             ReasonTCPPort,
		Message:            cut(report.FirstByte),
	})
	return out
}

func total(views []xds.ViewState) (v1alpha1.ProxyCounts, []xds.Nack) {
	var proxies v1alpha1.ProxyCounts
	var nacks []xds.Nack
	for _, v := range views {
		proxies.Affected += int32(v.Connected)
		proxies.Acked += int32(v.Acked)
		proxies.Disconnected += int32(max(v.Known-v.Connected, 0))
		nacks = append(nacks, v.Nacks...)
	}
	return proxies, nacks
}

// programmed turns true for a generation once every connected affected proxy
// has ACKed it, and then stays: what proxies answer later is about later
// changes, or about proxies that came later (docs/meshpolicy.md, "Status").
func programmed(old v1alpha1.MeshPolicyStatus, report compile.Report, proxies v1alpha1.ProxyCounts, nacks []xds.Nack, returning bool) metav1.Condition {
	before := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionProgrammed)
	if before != nil && before.Status == metav1.ConditionTrue && before.ObservedGeneration == report.Generation {
		return *before
	}
	out := metav1.Condition{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionFalse}
	switch {
	case len(nacks) > 0:
		out.Reason = ReasonRejected
		out.Message = refusals(nacks)
	case len(report.Views) == 0 && report.Reason == compile.ReasonTargetNotFound:
		out.Reason = ReasonTargetNotFound
		out.Message = "there is no target to program"
	case len(report.Views) == 0 && report.Reason == compile.ReasonInvalid:
		out.Reason = ReasonInvalid
		out.Message = "nothing of it is sent to proxies"
	case proxies.Acked < proxies.Affected:
		out.Reason = ReasonPending
		out.Message = fmt.Sprintf("%d of %d connected proxies have acknowledged it", proxies.Acked, proxies.Affected)
	case returning && proxies.Disconnected > 0:
		out.Reason = ReasonPending
		out.Message = fmt.Sprintf("the server has just started: %d of %d proxies have connected", proxies.Affected, proxies.Affected+proxies.Disconnected)
	case proxies.Affected == 0:
		out.Status = metav1.ConditionTrue
		out.Reason = ReasonProgrammed
		out.Message = "no connected proxy is affected by it"
	default:
		out.Status = metav1.ConditionTrue
		out.Reason = ReasonProgrammed
		out.Message = "every connected proxy that it affects has acknowledged it"
	}
	return out
}

// unquoted is said in the place of words that a pod of another namespace may have made
// up: an administrators' policy applies to every namespace.
const unquoted = "for a reason that an Event on its pod, or the server's log, has"

// quotable leaves a proxy's words to objects of its own namespace.
func quotable(namespace string, view xds.ViewState) xds.ViewState {
	nacks := slices.Clone(view.Nacks)
	for i := range nacks {
		if nacks[i].Proxy.Namespace != namespace {
			nacks[i].Message = unquoted
		}
	}
	view.Nacks = nacks
	return view
}

// refusals gives Envoy's words, each once.
func refusals(nacks []xds.Nack) string {
	var parts []string
	seen := map[string]bool{}
	for _, n := range nacks {
		if !seen[n.Message] {
			seen[n.Message] = true
			parts = append(parts, fmt.Sprintf("%s refused %s: %s", n.Proxy, n.Name, n.Message))
		}
	}
	return strings.Join(parts, "; ")
}

// cut bounds a message, and keeps it UTF-8.
func cut(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-len("…")], "") + "…"
}
