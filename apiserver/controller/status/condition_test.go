// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/ack"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

func TestProgrammed(t *testing.T) {
	sound := report.Report{
		Generation: 2, Accepted: report.Verdict{True: true, Reason: report.ReasonAccepted},
		Units: []unit.ID{{Kind: "workload", Name: "v1"}, {Kind: "workload", Name: "v2"}},
	}
	refused := ack.Nack{Proxy: model.ProxyID{Namespace: "a", Pod: "p", UID: "1"}, Name: "in/v1/80", Message: "no such filter"}
	was := func(status metav1.ConditionStatus, generation int64) v1alpha1.MeshPolicyStatus {
		return v1alpha1.MeshPolicyStatus{Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionProgrammed, Status: status, ObservedGeneration: generation, Reason: "Earlier", Message: "earlier",
		}}}
	}
	for _, test := range []struct {
		name        string
		old         v1alpha1.MeshPolicyStatus
		report      report.Report
		state       ack.State
		returning   bool
		wantStatus  metav1.ConditionStatus
		wantReason  string
		wantMessage string
		wantProxies v1alpha1.ProxyCounts
	}{{
		name:        "not before every connected proxy has acknowledged it",
		report:      sound,
		state:       ack.State{Known: 5, Connected: 5, Acked: 3},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonPending,
		wantMessage: "3 of 5 connected proxies have acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 5, Acked: 3},
	}, {
		name:        "once they all have",
		report:      sound,
		state:       ack.State{Known: 5, Connected: 5, Acked: 5},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  ReasonProgrammed,
		wantMessage: "every connected proxy that it affects has acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 5, Acked: 5},
	}, {
		name:        "churn does not turn it back, and is counted",
		old:         was(metav1.ConditionTrue, 2),
		report:      sound,
		state:       ack.State{Known: 4, Connected: 4, Acked: 1},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  "Earlier",
		wantMessage: "earlier",
		wantProxies: v1alpha1.ProxyCounts{Affected: 4, Acked: 1},
	}, {
		name:        "a new generation starts over",
		old:         was(metav1.ConditionTrue, 1),
		report:      sound,
		state:       ack.State{Known: 1, Connected: 1},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonPending,
		wantMessage: "0 of 1 connected proxies have acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 1},
	}, {
		name:        "a refusal is told in Envoy's words, once",
		report:      sound,
		state:       ack.State{Known: 2, Connected: 2, Acked: 1, Nacks: []ack.Nack{refused, refused}},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonRejected,
		wantMessage: "a/p/1 refused in/v1/80: no such filter",
		wantProxies: v1alpha1.ProxyCounts{Affected: 2, Acked: 1},
	}, {
		name:        "nothing is programmed for a target that is not there",
		report:      report.Report{Generation: 2, Accepted: report.Verdict{Reason: report.ReasonTargetNotFound}},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonTargetNotFound,
		wantMessage: "there is no target to program",
	}, {
		name:        "nothing is programmed of a policy that could not be compiled at all",
		report:      report.Report{Generation: 2, Accepted: report.Verdict{Reason: report.ReasonInvalid}},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonInvalid,
		wantMessage: "nothing of it is sent to proxies",
	}, {
		name:        "no proxy is connected: nobody is waited for",
		report:      sound,
		state:       ack.State{},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  ReasonProgrammed,
		wantMessage: "no connected proxy is affected by it",
	}, {
		name:        "the disconnected are counted apart, and nobody waits for them",
		report:      sound,
		state:       ack.State{Known: 7, Connected: 3, Acked: 3},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  ReasonProgrammed,
		wantMessage: "every connected proxy that it affects has acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 3, Acked: 3, Disconnected: 4},
	}, {
		name:        "the server has just started: those that are there and not connected are waited for",
		report:      sound,
		state:       ack.State{Known: 3, Connected: 1, Acked: 1},
		returning:   true,
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonPending,
		wantMessage: "the server has just started: 1 of 3 proxies have connected",
		wantProxies: v1alpha1.ProxyCounts{Affected: 1, Acked: 1, Disconnected: 2},
	}} {
		t.Run(test.name, func(t *testing.T) {
			status := test.old
			policies(&status, test.report, test.state, naming{namespace: "a"}, test.returning)
			got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionProgrammed)
			if got.Status != test.wantStatus || got.Reason != test.wantReason || got.Message != test.wantMessage || got.ObservedGeneration != 2 {
				t.Errorf("Programmed is %+v", got)
			}
			if diff := cmp.Diff(&test.wantProxies, status.Proxies); diff != "" {
				t.Errorf("proxies (-want +got):\n%s", diff)
			}
		})
	}
}

// policies sets the conditions of a MeshPolicy's status.
func policies(status *v1alpha1.MeshPolicyStatus, r report.Report, state ack.State, names naming, returning bool) {
	setConditions(policyTarget(nil, nil), Fields{status, &status.Conditions, &status.Proxies}, r, state, names, returning)
}

func TestAProxyThatHoldsAChangeUpIsNamed(t *testing.T) {
	since := time.Date(2027, 1, 2, 3, 4, 5, 600, time.UTC)
	state := ack.State{Known: 9, Connected: 9, Acked: 7, Waiting: []ack.Wait{
		{Proxy: model.ProxyID{Namespace: "a", Pod: "p", UID: "1"}, Since: since},
		{Proxy: model.ProxyID{Namespace: "b", Pod: "q", UID: "2"}, Since: since.Add(time.Minute)},
	}}
	r := report.Report{Accepted: report.Verdict{True: true}, Units: []unit.ID{{Kind: "service", Name: "a/books"}}}
	for names, want := range map[naming]string{
		{namespace: "a"}: "7 of 9 connected proxies have acknowledged it; waited for longest: a/p/1 since 2027-01-02T03:04:05Z, a proxy of another namespace since 2027-01-02T03:05:05Z",
		{namespace: "mesh-system", anywhere: true}: "7 of 9 connected proxies have acknowledged it; waited for longest: a/p/1 since 2027-01-02T03:04:05Z, b/q/2 since 2027-01-02T03:05:05Z",
	} {
		if got := programmed(nil, r, state, names, false); got.Reason != ReasonPending || got.Message != want {
			t.Errorf("for readers of %s: %s: %s", names.namespace, got.Reason, got.Message)
		}
	}
}

func TestAcceptedTellsTheReport(t *testing.T) {
	long := strings.Repeat("ä", maxMessage)
	said := report.Report{Generation: 7, Accepted: report.Verdict{Reason: report.ReasonInvalid, Message: long}}
	var status v1alpha1.MeshPolicyStatus
	policies(&status, said, ack.State{}, naming{}, false)
	got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAccepted)
	if got.Status != metav1.ConditionFalse || got.Reason != report.ReasonInvalid || got.ObservedGeneration != 7 {
		t.Errorf("Accepted is %+v", got)
	}
	if len(got.Message) > maxMessage || !strings.HasSuffix(got.Message, "ä…") {
		t.Errorf("the message has %d bytes and ends in %q", len(got.Message), got.Message[len(got.Message)-8:])
	}
	again := *status.DeepCopy()
	policies(&again, said, ack.State{}, naming{}, false)
	if diff := cmp.Diff(status, again); diff != "" {
		t.Errorf("the same report changes the status:\n%s", diff)
	}
	if meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResolvedRefs) != nil {
		t.Error("ResolvedRefs is there, of which the report says nothing")
	}
	said.ResolvedRefs = &report.Verdict{Reason: report.ReasonReferenceNotFound, Message: "no Service books"}
	policies(&status, said, ack.State{}, naming{}, false)
	if got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionResolvedRefs); got == nil || got.Reason != report.ReasonReferenceNotFound {
		t.Errorf("ResolvedRefs is %+v", got)
	}
}

func TestAConditionOfTheKindsOwnComesAndGoes(t *testing.T) {
	own := report.Condition{Type: v1alpha1.ConditionDeniesAtFirstByte, Verdict: report.Verdict{True: true, Reason: "TCPPort", Message: "port 9000 is open and not HTTP"}}
	said := report.Report{Generation: 3, Own: []report.Condition{own}}
	var status v1alpha1.MeshPolicyStatus
	policies(&status, said, ack.State{}, naming{}, false)
	got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDeniesAtFirstByte)
	if got == nil || got.Status != metav1.ConditionTrue || got.Message != own.Message || got.ObservedGeneration != 3 {
		t.Fatalf("the condition is %+v", got)
	}
	said.Own = nil
	policies(&status, said, ack.State{}, naming{}, false)
	if got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDeniesAtFirstByte); got != nil {
		t.Errorf("an Allow has closed the port, and the condition is still %+v", got)
	}
}

func TestAnObjectOfAnotherNamespaceDoesNotQuoteAPod(t *testing.T) {
	nacks := []ack.Nack{
		{Proxy: model.ProxyID{Namespace: "a", Pod: "p", UID: "1"}, Name: "in/v1/80", Message: "call 0900 to mend this"},
	}
	for names, want := range map[naming]string{
		{namespace: "a"}: "a/p/1 refused in/v1/80: call 0900 to mend this",
		{namespace: "mesh-system", anywhere: true}: "a/p/1 refused in/v1/80: " + unquoted,
		{namespace: "b"}: "a proxy of another namespace refused in/v1/80: " + unquoted,
	} {
		if got := names.refusals(nacks); got != want {
			t.Errorf("for readers of %s: %s", names.namespace, got)
		}
	}
}
