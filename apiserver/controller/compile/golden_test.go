// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden compiles testdata/<feature>.in.yaml and compares the model with
// testdata/<feature>.out.yaml.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no golden pairs: %v", err)
	}
	for _, input := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(input), ".in.yaml"), func(t *testing.T) {
			objects := worldtest.Load(t, input)
			got := render(t, objects)
			output := strings.TrimSuffix(input, ".in.yaml") + ".out.yaml"
			if *update {
				if err := os.WriteFile(output, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(output)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the model differs (-want +got):\n%s", diff)
			}
			for range 10 {
				rand.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
				if diff := cmp.Diff(string(got), string(render(t, objects))); diff != "" {
					t.Fatalf("the order of events shows in the model (-first +shuffled):\n%s", diff)
				}
			}
		})
	}
}

// compiled is everything that comes of a world.
type compiled struct {
	Mesh      model.Mesh
	Services  []model.Service
	Headless  []model.Headless
	Accounts  []model.Account
	Direct    model.Direct
	Workloads []workload
	Policies  map[string]compile.Report
	Notices   map[string][]compile.Notice
	// Seen is, for each namespace from which others are hidden, what its pods
	// see in the place of Direct.
	Seen map[string]seen
}

type seen struct {
	Hidden []string
	Direct model.Direct
}

// workload is a model.Workload with the pods it stands for, since nobody can
// read a hash.
type workload struct {
	Labels   map[string]string
	Workload model.Workload
	Policies []world.Key
}

func render(t *testing.T, objects []metav1.Object) []byte {
	t.Helper()
	w := worldtest.World(objects...)
	r := w.Reader()
	out := compiled{Mesh: compile.Mesh(r), Policies: map[string]compile.Report{}, Notices: map[string][]compile.Notice{}, Seen: map[string]seen{}}
	out.Mesh.Egress = compile.Egress(r)
	for _, key := range w.Services() {
		if s, ok := compile.Service(r, key); ok {
			out.Services = append(out.Services, s)
		}
		if notices := compile.ServiceNotices(r, key); notices != nil {
			out.Notices[key.String()] = notices
		}
		if h, ok := compile.Headless(r, key); ok {
			out.Headless = append(out.Headless, h)
		}
	}
	for _, key := range w.Accounts() {
		account, _ := compile.Account(r, key)
		out.Accounts = append(out.Accounts, account)
	}
	out.Direct = compile.Direct(r)
	for _, namespace := range w.Namespaces() {
		if hidden := r.Hidden(namespace); len(hidden) > 0 {
			out.Seen[namespace] = seen{hidden, compile.Seen(r, out.Direct, hidden)}
		}
		if notices := compile.NamespaceNotices(r, namespace); notices != nil {
			out.Notices[namespace] = notices
		}
	}
	facts := map[string]*compile.Facts{}
	for _, view := range w.Views() {
		m, said, _ := compile.Workload(r, view)
		facts[view] = said
		out.Workloads = append(out.Workloads, workload{Labels: r.View(view).Labels, Workload: m})
		if pod, notice, refused := compile.ScrapeNotice(r, view); refused {
			out.Notices["pod "+pod.Key.String()] = []compile.Notice{notice}
		}
	}
	// Administrators' policies first, as they are applied.
	policies := w.Policies()
	slices.SortStableFunc(policies, func(a, b intent.Reference) int { return administrators(b) - administrators(a) })
	for _, key := range policies {
		report, _ := compile.Policy(r, key, func(view string) *compile.Facts { return facts[view] })
		out.Policies[key.Key.String()] = report
		for i := range out.Workloads {
			if slices.Contains(report.Views, out.Workloads[i].Workload.View) {
				out.Workloads[i].Policies = append(out.Workloads[i].Policies, key.Key)
			}
		}
	}
	return tidyYAML(t, out)
}

// administrators is 1 for a policy that applies to every namespace.
func administrators(key intent.Reference) int {
	if key.Namespace == "mesh-system" {
		return 1
	}
	return 0
}

// tidyYAML leaves out what is not set.
func tidyYAML(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	data, err = yaml.Marshal(tidy(tree))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tidy(tree any) any {
	switch node := tree.(type) {
	case map[string]any:
		for key, value := range node {
			if value == nil || value == false || value == "" || key == "Notices" && len(value.(map[string]any)) == 0 || key == "Seen" && len(value.(map[string]any)) == 0 || key == "CertificateLifetime" && value == json.Number("0") {
				delete(node, key)
				continue
			}
			node[key] = tidy(value)
		}
	case []any:
		for i := range node {
			node[i] = tidy(node[i])
		}
	}
	return tree
}
