// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
)

func TestProgrammed(t *testing.T) {
	sound := compile.Report{Generation: 2, Accepted: true, Reason: compile.ReasonAccepted, Views: []string{"v1", "v2"}}
	refused := xds.Nack{Proxy: model.ProxyID{Namespace: "a", Pod: "p", UID: "1"}, Name: "in/v1/80", Message: "no such filter"}
	was := func(status metav1.ConditionStatus, generation int64) v1alpha1.MeshPolicyStatus {
		return v1alpha1.MeshPolicyStatus{Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionProgrammed, Status: status, ObservedGeneration: generation, Reason: "Earlier", Message: "earlier",
		}}}
	}
	for _, test := range []struct {
		name        string
		old         v1alpha1.MeshPolicyStatus
		report      compile.Report
		views       []xds.ViewState
		returning   bool
		wantStatus  metav1.ConditionStatus
		wantReason  string
		wantMessage string
		wantProxies v1alpha1.ProxyCounts
	}{{
		name:        "not before every connected proxy has acknowledged it",
		report:      sound,
		views:       []xds.ViewState{{Connected: 2, Acked: 2}, {Connected: 3, Acked: 1}},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonPending,
		wantMessage: "3 of 5 connected proxies have acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 5, Acked: 3},
	}, {
		name:        "once they all have",
		report:      sound,
		views:       []xds.ViewState{{Connected: 2, Acked: 2}, {Connected: 3, Acked: 3}},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  ReasonProgrammed,
		wantMessage: "every connected proxy that it affects has acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 5, Acked: 5},
	}, {
		name:        "churn does not turn it back, and is counted",
		old:         was(metav1.ConditionTrue, 2),
		report:      sound,
		views:       []xds.ViewState{{Connected: 4, Acked: 1}},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  "Earlier",
		wantMessage: "earlier",
		wantProxies: v1alpha1.ProxyCounts{Affected: 4, Acked: 1},
	}, {
		name:        "a new generation starts over",
		old:         was(metav1.ConditionTrue, 1),
		report:      sound,
		views:       []xds.ViewState{{Connected: 1}},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonPending,
		wantMessage: "0 of 1 connected proxies have acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 1},
	}, {
		name:        "a refusal is told in Envoy's words, once",
		report:      sound,
		views:       []xds.ViewState{{Connected: 2, Acked: 1, Nacks: []xds.Nack{refused, refused}}},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonRejected,
		wantMessage: "a/p/1 refused in/v1/80: no such filter",
		wantProxies: v1alpha1.ProxyCounts{Affected: 2, Acked: 1},
	}, {
		name:        "nothing is programmed for a target that is not there",
		report:      compile.Report{Generation: 2, Reason: compile.ReasonTargetNotFound},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonTargetNotFound,
		wantMessage: "there is no target to program",
	}, {
		name:        "nothing is programmed of a policy that could not be compiled at all",
		report:      compile.Report{Generation: 2, Reason: compile.ReasonInvalid},
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonInvalid,
		wantMessage: "nothing of it is sent to proxies",
	}, {
		name:        "no proxy is connected: nobody is waited for",
		report:      sound,
		views:       []xds.ViewState{{}, {}},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  ReasonProgrammed,
		wantMessage: "no connected proxy is affected by it",
	}, {
		name:        "the disconnected are counted apart, and nobody waits for them",
		report:      sound,
		views:       []xds.ViewState{{Known: 3, Connected: 2, Acked: 2}, {Known: 4, Connected: 1, Acked: 1}},
		wantStatus:  metav1.ConditionTrue,
		wantReason:  ReasonProgrammed,
		wantMessage: "every connected proxy that it affects has acknowledged it",
		wantProxies: v1alpha1.ProxyCounts{Affected: 3, Acked: 3, Disconnected: 4},
	}, {
		name:        "the server has just started: those that are there and not connected are waited for",
		report:      sound,
		views:       []xds.ViewState{{Known: 1, Connected: 1, Acked: 1}, {Known: 2}},
		returning:   true,
		wantStatus:  metav1.ConditionFalse,
		wantReason:  ReasonPending,
		wantMessage: "the server has just started: 1 of 3 proxies have connected",
		wantProxies: v1alpha1.ProxyCounts{Affected: 1, Acked: 1, Disconnected: 2},
	}} {
		t.Run(test.name, func(t *testing.T) {
			status := policyStatus(test.old, test.report, test.views, test.returning)
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

func TestAcceptedTellsTheReport(t *testing.T) {
	long := strings.Repeat("ä", maxMessage)
	status := policyStatus(v1alpha1.MeshPolicyStatus{}, compile.Report{Generation: 7, Reason: compile.ReasonInvalid, Message: long}, nil, false)
	got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAccepted)
	if got.Status != metav1.ConditionFalse || got.Reason != compile.ReasonInvalid || got.ObservedGeneration != 7 {
		t.Errorf("Accepted is %+v", got)
	}
	if len(got.Message) > maxMessage || !strings.HasSuffix(got.Message, "ä…") {
		t.Errorf("the message has %d bytes and ends in %q", len(got.Message), got.Message[len(got.Message)-8:])
	}
	again := policyStatus(status, compile.Report{Generation: 7, Reason: compile.ReasonInvalid, Message: long}, nil, false)
	if diff := cmp.Diff(status, again); diff != "" {
		t.Errorf("the same report changes the status:\n%s", diff)
	}
}

func TestADenyByIdentityOnAnOpenTCPPortSaysThatItActsAtTheFirstByte(t *testing.T) {
	report := compile.Report{Generation: 3, Accepted: true, Reason: compile.ReasonAccepted, FirstByte: "port 9000 is open and not HTTP"}
	status := policyStatus(v1alpha1.MeshPolicyStatus{}, report, nil, false)
	got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDeniesAtFirstByte)
	if got == nil || got.Status != metav1.ConditionTrue || got.Message != report.FirstByte || got.ObservedGeneration != 3 {
		t.Fatalf("the condition is %+v", got)
	}
	report.FirstByte = ""
	status = policyStatus(status, report, nil, false)
	if got := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionDeniesAtFirstByte); got != nil {
		t.Errorf("an Allow has closed the port, and the condition is still %+v", got)
	}
}

func TestPolicyOfAnotherNamespaceDoesNotQuoteAPod(t *testing.T) {
	state := xds.ViewState{Connected: 2, Nacks: []xds.Nack{
		{Proxy: model.ProxyID{Namespace: "a", Pod: "p", UID: "1"}, Name: "in/v1/80", Message: "call 0900 to mend this"},
	}}
	if got := refusals(quotable("a", state).Nacks); got != "a/p/1 refused in/v1/80: call 0900 to mend this" {
		t.Errorf("in its own namespace: %s", got)
	}
	if got := refusals(quotable("mesh-system", state).Nacks); got != "a/p/1 refused in/v1/80: "+unquoted {
		t.Errorf("in another: %s", got)
	}
	if state.Nacks[0].Message == unquoted {
		t.Error("what was asked is changed")
	}
}
