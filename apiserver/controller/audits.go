// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"sync"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// audits are the Audit policies of each view, by inbound port. The loop
// writes them, telemetry reads them.
type audits struct {
	mu     sync.RWMutex
	byView map[string]map[uint16]model.Audit
}

func newAudits() *audits { return &audits{byView: map[string]map[uint16]model.Audit{}} }

// set replaces the Audit policies of a view; without ports there are none.
func (a *audits) set(view string, ports map[uint16]model.Audit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(ports) == 0 {
		delete(a.byView, view)
		return
	}
	a.byView[view] = ports
}

func (a *audits) of(view string) map[uint16]model.Audit {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return maps.Clone(a.byView[view])
}
