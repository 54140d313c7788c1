// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/component-base/metrics/legacyregistry"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/validation"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// scenery is what fuzzed objects are put into: a Service, its pod, accounts.
const scenery = "testdata/features/allow-service/in.yaml"

// FuzzMeshPolicy takes bytes the way that a user's object goes: decode, default,
// validate, compile, envoy. What validation lets pass must compile, must keep
// Envoy's constraints, and must never admit anybody who was refused before.
func FuzzMeshPolicy(f *testing.F) {
	seed(f, "MeshPolicy")
	f.Fuzz(policyCheck(f))
}

func policyCheck(f *testing.F) func(*testing.T, []byte) {
	objects := worldtest.Load(f, scenery)
	return func(t *testing.T, data []byte) {
		policy, ok := admitted(t.Context(), data, "bookstore", "fuzzed", func(p *mesh.MeshPolicy) field.ErrorList {
			return validation.ValidateMeshPolicy(p, "mesh-system")
		})
		if !ok {
			return
		}
		stored := &v1alpha1.MeshPolicy{}
		if err := scheme.Scheme.Convert(policy, stored, nil); err != nil {
			t.Fatalf("convert: %v", err)
		}
		before, after := loadedBut(objects, nil), loadedBut(objects, stored)
		compiles(t, after)
		for _, view := range before.World.Reader().ViewsIn("") {
			was, _, _ := compile.Workload(before.World.Reader(), view.Name)
			is, _, _ := compile.Workload(after.World.Reader(), view.Name)
			wantNotWider(t, stored, was, is)
		}
	}
}

// wantNotWider holds what a single Allow or Deny in an open mesh may do.
func wantNotWider(t *testing.T, policy *v1alpha1.MeshPolicy, was, is model.Workload) {
	t.Helper()
	for _, port := range is.Ports {
		old := portOf(was, port.Number)
		// Audit never changes a verdict: what it counts is beside what is decided.
		port.Access.Audit, old.Access.Audit = nil, nil
		same := reflect.DeepEqual(port.Access, old.Access)
		switch {
		case !same && policy.Spec.Mode == v1alpha1.PolicyModeAudit:
			t.Errorf("port %d: an Audit policy changed access: %+v", port.Number, port.Access)
		case !same && policy.Spec.Action == v1alpha1.PolicyActionAllow && !port.Access.Closed:
			t.Errorf("port %d is not closed by an Allow that is about it: %+v", port.Number, port.Access)
		case !same && policy.Spec.Action == v1alpha1.PolicyActionDeny && (port.Access.Closed != old.Access.Closed || len(port.Access.Allow) > 0):
			t.Errorf("port %d: a Deny changed whom Allows admit: %+v", port.Number, port.Access)
		}
		for _, rule := range port.Access.Allow {
			if len(rule.From) == 0 || len(rule.To) == 0 {
				t.Errorf("port %d: an Allow rule that admits by absence: %+v", port.Number, rule)
			}
		}
	}
}

func portOf(w model.Workload, number uint16) model.InboundPort {
	for _, port := range w.Ports {
		if port.Number == number {
			return port
		}
	}
	return w.Ports[len(w.Ports)-1]
}

// FuzzMeshConfig does the same with the settings.
func FuzzMeshConfig(f *testing.F) {
	seed(f, "MeshConfig")
	objects := worldtest.Load(f, scenery)
	f.Fuzz(func(t *testing.T, data []byte) {
		config, ok := admitted[*mesh.MeshConfig](t.Context(), data, "", v1alpha1.MeshConfigName, validation.ValidateMeshConfig)
		if !ok {
			return
		}
		stored := &v1alpha1.MeshConfig{}
		if err := scheme.Scheme.Convert(config, stored, nil); err != nil {
			t.Fatalf("convert: %v", err)
		}
		compiles(t, loadedBut(objects, stored))
	})
}

// FuzzServices takes Services, EndpointSlices, Pods and Namespaces, which
// Kubernetes has validated in a live mesh, and here nobody.
func FuzzServices(f *testing.F) {
	seed(f, "Service", "EndpointSlice", "Pod", "Namespace")
	objects := worldtest.Load(f, scenery)
	f.Fuzz(func(t *testing.T, data []byte) {
		object, err := worldtest.DecodeOne(data)
		if err != nil {
			return
		}
		compiles(t, loadedBut(objects, object))
	})
}

// seed adds the documents of some kinds from the features.
func seed(f *testing.F, kinds ...string) {
	f.Helper()
	files, err := filepath.Glob("testdata/features/*/in.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden pairs to begin with: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, document := range bytes.Split(data, []byte("\n---\n")) {
			for _, kind := range kinds {
				if bytes.Contains(document, []byte("kind: "+kind+"\n")) {
					f.Add(document)
				}
			}
		}
	}
}

// admitted decodes and defaults an object, and says whether the server would
// store it: by the declarative rules of its type and by those in Go.
func admitted[T interface {
	runtime.Object
	metav1.Object
}](ctx context.Context, data []byte, namespace, name string, validate func(T) field.ErrorList) (object T, ok bool) {
	versioned, _, err := scheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		return object, false
	}
	scheme.Scheme.Default(versioned)
	accessor, isObject := versioned.(metav1.Object)
	if !isObject {
		return object, false
	}
	accessor.SetNamespace(namespace)
	accessor.SetName(name)
	accessor.SetGenerateName("")
	if len(scheme.Scheme.Validate(ctx, nil, versioned)) > 0 {
		return object, false
	}
	hub, err := scheme.Scheme.UnsafeConvertToVersion(versioned, mesh.SchemeGroupVersion)
	if err != nil {
		return object, false
	}
	if object, ok = hub.(T); !ok {
		return object, false
	}
	return object, len(validate(object)) == 0
}

// loadedBut gives an engine with the objects, without their policies, and one more.
func loadedBut(objects []metav1.Object, extra metav1.Object) *testEngine {
	var kept []metav1.Object
	for _, object := range objects {
		if _, isPolicy := object.(*v1alpha1.MeshPolicy); !isPolicy {
			kept = append(kept, object)
		}
	}
	if extra != nil {
		kept = append(kept, extra)
	}
	return loaded(kept)
}

// compiles demands that every unit compiles into what keeps Envoy's constraints.
func compiles(t *testing.T, e *testEngine) {
	t.Helper()
	before := failures(t)
	out := e.step(t.Context())
	if after := failures(t); after != before {
		t.Errorf("%v units could not be compiled", after-before)
	}
	if len(out.Set) == 0 {
		t.Error("nothing was compiled")
	}
	for _, r := range out.Set {
		if err := envoytest.Validate(r.Body.ProtoReflect()); err != nil {
			t.Errorf("%s %q: %v", r.TypeURL, r.Name, err)
		}
	}
}

// failures counts the units that could not be compiled so far.
func failures(t *testing.T) (total float64) {
	t.Helper()
	registerMetrics()
	families, err := legacyregistry.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "mesh_controller_compile_failures_total" {
			for _, m := range family.GetMetric() {
				total += m.GetCounter().GetValue()
			}
		}
	}
	return total
}
