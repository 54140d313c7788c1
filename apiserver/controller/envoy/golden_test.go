// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bytes"
	"flag"
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

// input is a testdata/*.in.yaml: a mesh and one thing of it.
type input struct {
	Mesh      model.Mesh
	Common    bool
	Service   *model.Service
	Headless  *model.Headless
	Account   *model.Account
	Direct    *model.Direct
	Workload  *model.Workload
	Bootstrap *BootstrapParams
}

func (in input) resources(t *testing.T, roots []byte) []Resource {
	t.Helper()
	var rs []Resource
	var err error
	switch {
	case in.Common:
		rs, err = Common(roots)
	case in.Service != nil:
		rs = serviceResources(t, *in.Service)
	case in.Headless != nil:
		rs, err = Headless(in.Mesh, *in.Headless)
	case in.Account != nil:
		rs, err = Account(in.Mesh, *in.Account)
	case in.Direct != nil:
		rs, err = Direct(in.Mesh, *in.Direct)
	case in.Workload != nil:
		rs, err = Workload(in.Mesh, *in.Workload, roots, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rs
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

func readInputs(t *testing.T) map[string]input {
	t.Helper()
	files, err := filepath.Glob("testdata/*.in.yaml")
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
		inputs[strings.TrimSuffix(filepath.Base(f), ".in.yaml")] = in
	}
	return inputs
}

func TestGolden(t *testing.T) {
	for name, in := range readInputs(t) {
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
