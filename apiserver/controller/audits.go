// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"sync"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// audits are the Audit policies of each view, by inbound port. The engine
// writes them, telemetry reads them.
type audits struct {
	mu     sync.RWMutex
	byView map[string]map[uint16]model.Audit
}

func newAudits() *audits { return &audits{byView: map[string]map[uint16]model.Audit{}} }

func (a *audits) put(w model.Workload) {
	ports := map[uint16]model.Audit{}
	for _, p := range w.Ports {
		if p.Access.Audit != nil {
			ports[p.Number] = model.Audit{DenyPolicies: p.Access.Audit.DenyPolicies, AllowPolicies: p.Access.Audit.AllowPolicies}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(ports) == 0 {
		delete(a.byView, w.View)
		return
	}
	a.byView[w.View] = ports
}

func (a *audits) remove(view string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byView, view)
}

func (a *audits) of(view string) map[uint16]model.Audit {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return maps.Clone(a.byView[view])
}
