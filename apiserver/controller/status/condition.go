// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/ack"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
)

// Reasons of the condition Programmed.
const (
	ReasonProgrammed     = "Programmed"
	ReasonPending        = "Pending"
	ReasonRejected       = "RejectedByProxy"
	ReasonTargetNotFound = report.ReasonTargetNotFound
	ReasonInvalid        = report.ReasonInvalid
)

// maxMessage is how many bytes a condition's message has at most; the API
// allows 32768.
const maxMessage = 2048

// setConditions says what came of an object: what its report says, and, for a kind
// that is programmed, what proxies have answered. While returning, those that are
// not connected are waited for too.
func setConditions(target Target, fields Fields, r report.Report, state ack.State, names naming, returning bool) {
	set := func(c metav1.Condition) {
		c.ObservedGeneration = r.Generation
		c.Message = cut(c.Message)
		meta.SetStatusCondition(fields.Conditions, c)
	}
	set(condition(v1alpha1.ConditionAccepted, r.Accepted))
	if r.ResolvedRefs != nil {
		set(condition(v1alpha1.ConditionResolvedRefs, *r.ResolvedRefs))
	}
	if fields.Proxies != nil {
		*fields.Proxies = &v1alpha1.ProxyCounts{
			Affected:     int32(state.Connected),
			Acked:        int32(state.Acked),
			Disconnected: int32(state.Known - state.Connected),
		}
		set(programmed(*fields.Conditions, r, state, names, returning))
	}
	for _, kind := range target.Conditions {
		i := slices.IndexFunc(r.Own, func(c report.Condition) bool { return c.Type == kind })
		if i < 0 {
			meta.RemoveStatusCondition(fields.Conditions, kind)
			continue
		}
		set(condition(kind, r.Own[i].Verdict))
	}
}

func condition(kind string, v report.Verdict) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: v.Reason, Message: v.Message}
	if v.True {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// programmed turns true for a generation once every connected affected proxy
// has ACKed it, and then stays: what proxies answer later is about later
// changes, or about proxies that came later (docs/status.md).
func programmed(before []metav1.Condition, r report.Report, state ack.State, names naming, returning bool) metav1.Condition {
	old := meta.FindStatusCondition(before, v1alpha1.ConditionProgrammed)
	if old != nil && old.Status == metav1.ConditionTrue && old.ObservedGeneration == r.Generation {
		return *old
	}
	out := metav1.Condition{Type: v1alpha1.ConditionProgrammed, Status: metav1.ConditionFalse}
	switch {
	case len(state.Nacks) > 0:
		out.Reason = ReasonRejected
		out.Message = names.refusals(state.Nacks)
	case len(r.Units) == 0 && r.Accepted.Reason == report.ReasonTargetNotFound:
		out.Reason = ReasonTargetNotFound
		out.Message = "there is no target to program"
	case len(r.Units) == 0 && r.Accepted.Reason == report.ReasonInvalid:
		out.Reason = ReasonInvalid
		out.Message = "nothing of it is sent to proxies"
	case state.Acked < state.Connected:
		out.Reason = ReasonPending
		out.Message = fmt.Sprintf("%d of %d connected proxies have acknowledged it%s", state.Acked, state.Connected, names.waiting(state.Waiting))
	case returning && state.Known > state.Connected:
		out.Reason = ReasonPending
		out.Message = fmt.Sprintf("the server has just started: %d of %d proxies have connected", state.Connected, state.Known)
	case state.Connected == 0:
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

// naming is what may be said of proxies in the status of an object, whose readers
// have rights in its namespace.
type naming struct {
	namespace string
	// anywhere lets proxies of other namespaces be named, but never quoted.
	anywhere bool
}

// unquoted is said in the place of words that a pod of another namespace may have made
// up: an administrators' policy applies to every namespace.
const unquoted = "for a reason that an Event on its pod, or the server's log, has"

// of names a proxy.
func (n naming) of(proxy model.ProxyID) string {
	if proxy.Namespace == n.namespace || n.anywhere {
		return proxy.String()
	}
	return "a proxy of another namespace"
}

// refusals gives Envoy's words, each once.
func (n naming) refusals(nacks []ack.Nack) string {
	var parts []string
	seen := map[string]bool{}
	for _, nack := range nacks {
		words := nack.Message
		if nack.Proxy.Namespace != n.namespace {
			words = unquoted
		}
		if !seen[words] {
			seen[words] = true
			parts = append(parts, fmt.Sprintf("%s refused %s: %s", n.of(nack.Proxy), nack.Name, words))
		}
	}
	return strings.Join(parts, "; ")
}

// waiting names those that are waited for longest, and since when.
func (n naming) waiting(waits []ack.Wait) string {
	var parts []string
	for _, w := range waits {
		parts = append(parts, fmt.Sprintf("%s since %s", n.of(w.Proxy), w.Since.UTC().Format(time.RFC3339)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; waited for longest: " + strings.Join(parts, ", ")
}

// cut bounds a message, and keeps it UTF-8.
func cut(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-len("…")], "") + "…"
}
