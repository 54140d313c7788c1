// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/all"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshconfig"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// testEngine is an engine that remembers what it has given in all.
type testEngine struct {
	*state
	versions map[envoy.Key]string
	units    map[unit.ID][]envoy.Key
	memories map[unit.ID]any
}

func newTestEngine() *testEngine {
	return &testEngine{&state{Engine: engine.New(world.New("cluster.local"), all.Kinds), returns: newReturns()}, map[envoy.Key]string{}, map[unit.ID][]envoy.Key{}, map[unit.ID]any{}}
}

func (e *testEngine) setRoots(pem []byte) { e.World.SetRoots(pem) }

func (e *testEngine) step(ctx context.Context) engine.Outcome {
	out := e.Step(ctx)
	for _, r := range out.Set {
		e.versions[r.Key] = r.Version
	}
	for _, key := range out.Removed {
		delete(e.versions, key)
	}
	for id, keys := range out.Units {
		if len(keys) == 0 {
			delete(e.units, id)
		} else {
			e.units[id] = keys
		}
	}
	for id, memory := range out.Memories {
		if memory == nil {
			delete(e.memories, id)
		} else {
			e.memories[id] = memory
		}
	}
	return out
}

// reports are those on MeshPolicies; nil for one that is gone.
func reports(out engine.Outcome) map[world.Reference]*report.Report {
	found := map[world.Reference]*report.Report{}
	for id, r := range out.Reports {
		if id.Kind == meshpolicy.Name {
			found[meshpolicy.Reference(world.ParseKey(id.Name))] = r
		}
	}
	return found
}

// of gives what is said of the object of this name.
func (e *testEngine) of(name string) []engine.Notice {
	var found []engine.Notice
	for _, notices := range e.Notices() {
		for _, n := range notices {
			if n.About.Name == name {
				found = append(found, n)
			}
		}
	}
	return found
}

// warnings are the news about annotations.
func warnings(out engine.Outcome) []engine.Notice {
	return slices.DeleteFunc(out.News, func(n engine.Notice) bool { return n.Reason != compile.ReasonTrafficAnnotation })
}

// configs are the reports on the MeshConfig.
func configs(out engine.Outcome) []*report.Report {
	var found []*report.Report
	for id, r := range out.Reports {
		if id.Kind == meshconfig.Name {
			found = append(found, r)
		}
	}
	return found
}
