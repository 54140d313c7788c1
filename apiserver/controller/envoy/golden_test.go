// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

var update = flag.Bool("update", false, "write testdata/*.out.yaml anew")

const testRoots = "-----BEGIN CERTIFICATE-----\nMIIBgDCC\n-----END CERTIFICATE-----\n"

// input is a mesh and things of it: a testdata/*.in.yaml, for what no object comes
// to, or the model.yaml of a feature.
type input struct {
	Mesh      model.Mesh
	Services  []model.Service
	Headless  []model.Headless
	Accounts  []model.Account
	Direct    *model.Direct
	Workloads []workload
	Bootstrap *BootstrapParams

	// What else a feature's model.yaml holds is not read here.
	Seen map[string]any
}

type workload struct {
	Workload model.Workload
	Labels   map[string]string
}

func (in input) resources(t *testing.T, roots []byte) []Resource {
	t.Helper()
	var all []Resource
	add := func(rs []Resource, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rs...)
	}
	for _, s := range in.Services {
		add(serviceResources(t, s), nil)
	}
	for _, h := range in.Headless {
		add(Headless(in.Mesh, h))
	}
	for _, account := range in.Accounts {
		add(Account(in.Mesh, account))
	}
	if in.Direct != nil {
		add(Common(roots))
		add(Direct(in.Mesh, *in.Direct))
	}
	for _, w := range in.Workloads {
		add(Workload(in.Mesh, w.Workload, roots, nil))
	}
	return all
}

// serviceResources are all of a Service, sorted as if they were made in one go.
func serviceResources(t *testing.T, s model.Service) []Resource {
	t.Helper()
	front, err := Service(s.WithoutEndpoints())
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := ServiceEndpoints(s)
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(front, endpoints)
	slices.SortFunc(all, compare)
	return all
}

func (in input) render(t *testing.T) []byte {
	t.Helper()
	if in.Bootstrap != nil {
		bootstrap, err := Bootstrap(*in.Bootstrap)
		if err != nil {
			t.Fatal(err)
		}
		files := testFiles(t)
		var documents [][]byte
		for _, document := range []string{bootstrap, files.Identity, files.ControlPlaneRoots, files.RefusalBudget} {
			lines, err := yaml.JSONToYAML([]byte(document))
			if err != nil {
				t.Fatal(err)
			}
			documents = append(documents, lines)
		}
		return bytes.Join(documents, []byte("---\n"))
	}
	out, err := YAML(in.resources(t, []byte(testRoots)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func testFiles(t *testing.T) Files {
	t.Helper()
	files, err := BootstrapFiles()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readInputs gives those of this package, and the features by their names.
func readInputs(t *testing.T) map[string]input {
	t.Helper()
	inputs := readFiles(t, "../testdata/features/*/model.yaml", func(file string) string { return filepath.Base(filepath.Dir(file)) })
	maps.Copy(inputs, readGoldens(t))
	return inputs
}

func readGoldens(t *testing.T) map[string]input {
	t.Helper()
	return readFiles(t, "testdata/*.in.yaml", func(file string) string { return strings.TrimSuffix(filepath.Base(file), ".in.yaml") })
}

func readFiles(t *testing.T, pattern string, name func(file string) string) map[string]input {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("find inputs: %v, %v", files, err)
	}
	inputs := map[string]input{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var in input
		if err := yaml.UnmarshalStrict(b, &in); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		inputs[name(f)] = in
	}
	return inputs
}

func TestGolden(t *testing.T) {
	for name, in := range readGoldens(t) {
		t.Run(name, func(t *testing.T) {
			got := in.render(t)
			file := filepath.Join("testdata", name+".out.yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got), -update writes it anew:\n%s", file, diff)
			}
		})
	}
}
