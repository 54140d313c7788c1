// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/status"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// policyReport gives what compile says of a MeshPolicy the form that all kinds share.
func policyReport(from *compile.Report, administrators bool) *report.Report {
	if from == nil {
		return nil
	}
	to := &report.Report{
		UID:        from.UID,
		Generation: from.Generation,
		Accepted:   report.Verdict{True: from.Accepted, Reason: from.Reason, Message: from.Message},
		Anywhere:   administrators,
	}
	if from.FirstByte != "" {
		to.Own = []report.Condition{{
			Type:    v1alpha1.ConditionDeniesAtFirstByte,
			Verdict: report.Verdict{True: true, Reason: status.ReasonTCPPort, Message: from.FirstByte},
		}}
	}
	for _, view := range from.Views {
		to.Units = append(to.Units, unit.ID{Kind: kindWorkload, Name: view})
	}
	return to
}

// configReport says that a MeshConfig is in use, or why it cannot be.
func configReport(config *v1alpha1.MeshConfig, unusable error) *report.Report {
	accepted := report.Verdict{True: true, Reason: report.ReasonAccepted, Message: "the settings are in use"}
	if unusable != nil {
		accepted = report.Verdict{
			Reason:  report.ReasonInvalid,
			Message: fmt.Sprintf("the settings cannot be compiled, and proxies keep what they have: %v", unusable),
		}
	}
	return &report.Report{UID: config.UID, Generation: config.Generation, Accepted: accepted}
}
