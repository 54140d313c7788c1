// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/goldentest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/report"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

var update = flag.Bool("update", false, "write the golden files")

// baseFeature is the one whose resources are written whole. All others show what
// differs from them.
const baseFeature = "base"

// featureFiles are the golden files of a feature beside model and status: one for
// each type of resource that Envoy is sent.
var featureFiles = map[string]string{
	"type.googleapis.com/envoy.config.listener.v3.Listener":                "listeners.yaml",
	"type.googleapis.com/envoy.config.route.v3.RouteConfiguration":         "routes.yaml",
	"type.googleapis.com/envoy.config.cluster.v3.Cluster":                  "clusters.yaml",
	"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment":   "endpoints.yaml",
	"type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig":        "extensions.yaml",
	"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret": "secrets.yaml",
}

// spoken is what a world of objects comes to: what Envoy is sent, and what users are told.
type spoken struct {
	resources []envoy.Resource
	proxies   []model.Proxy
	status    toldUsers
	model     compiled
}

// toldUsers is what users are told: objects of our own kinds by their status, others
// by Events.
type toldUsers struct {
	Reports map[string]report.Report
	Notices map[string][]notice
}

// notice is what an Event says.
type notice struct {
	Reason, Message string
}

// speak runs the engine from objects to what it has to say. It, and modelOf, are all
// that the golden tests know of the engine.
func speak(ctx context.Context, objects []metav1.Object) spoken {
	e := newTestEngine()
	e.World.SetSystemNamespace("mesh-system")
	e.setRoots(testRoots)
	for _, object := range objects {
		worldtest.Set(e.World, object)
	}
	out := e.step(ctx)
	s := spoken{resources: out.Set, proxies: out.Proxies, model: modelOf(e.World)}
	slices.SortFunc(s.resources, func(a, b envoy.Resource) int {
		return cmp.Or(strings.Compare(a.TypeURL, b.TypeURL), strings.Compare(a.Name, b.Name), strings.Compare(a.View, b.View))
	})
	s.status = toldUsers{Reports: map[string]report.Report{}, Notices: map[string][]notice{}}
	for id, r := range out.Reports {
		s.status.Reports[id.String()] = *r
	}
	for _, n := range out.News {
		about := n.About.Kind + " " + strings.TrimPrefix(n.About.Namespace+"/"+n.About.Name, "/")
		s.status.Notices[about] = append(s.status.Notices[about], notice{n.Reason, n.Message})
	}
	for _, notices := range s.status.Notices {
		slices.SortFunc(notices, func(a, b notice) int {
			return cmp.Or(strings.Compare(a.Reason, b.Reason), strings.Compare(a.Message, b.Message))
		})
	}
	return s
}

// compiled is everything in the model that comes of a world.
type compiled struct {
	Mesh      model.Mesh
	Services  []model.Service
	Headless  []model.Headless
	Accounts  []model.Account
	Direct    model.Direct
	Workloads []podsOf
	// Seen is, for each namespace from which others are hidden, what its pods
	// see in the place of Direct.
	Seen map[string]seen
}

type seen struct {
	Hidden []string
	Direct model.Direct
}

// podsOf is a model.Workload with the pods it stands for.
type podsOf struct {
	Labels   map[string]string
	Workload model.Workload
}

func modelOf(w *world.World) compiled {
	r := w.Reader()
	out := compiled{Mesh: compile.Mesh(r), Direct: compile.Direct(r), Seen: map[string]seen{}}
	out.Mesh.Egress = compile.Egress(r)
	for _, key := range w.Services() {
		if s, ok := compile.Service(r, key); ok {
			out.Services = append(out.Services, s)
		}
		if h, ok := compile.Headless(r, key); ok {
			out.Headless = append(out.Headless, h)
		}
	}
	for _, key := range w.Accounts() {
		account, _ := compile.Account(r, key)
		out.Accounts = append(out.Accounts, account)
	}
	for _, namespace := range w.Namespaces() {
		if hidden := r.Hidden(namespace); len(hidden) > 0 {
			out.Seen[namespace] = seen{hidden, compile.Seen(r, out.Direct, hidden)}
		}
	}
	for _, view := range w.Views() {
		m, _, _ := compile.Workload(r, view)
		out.Workloads = append(out.Workloads, podsOf{r.View(view).Labels, m})
	}
	return out
}

// TestFeatures follows the objects in testdata/features/<feature>/in.yaml to the
// model, to what their users are told, and to what Envoy is sent.
func TestFeatures(t *testing.T) {
	base := speak(t.Context(), feature(t, baseFeature))
	empty := speak(t.Context(), nil)
	forms := goldentest.NewForms()
	base.addTo(t, forms, "")
	empty.addTo(t, forms, " of an empty mesh")
	for _, name := range features(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := feature(t, name)
			said := speak(t.Context(), objects)
			files := said.told(t)
			for range often(10) {
				rand.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
				if diff := gocmp.Diff(files, speak(t.Context(), objects).told(t)); diff != "" {
					t.Fatalf("the order of events shows (-first +shuffled):\n%s", diff)
				}
			}
			for _, key := range keysOf(empty.resources) {
				if !slices.ContainsFunc(said.resources, func(r envoy.Resource) bool { return r.Key == key }) {
					t.Errorf("there is no %s %s", key.TypeURL, key.Name)
				}
			}
			if name == baseFeature {
				said.whole(t, files)
			} else {
				said.short(t, files, forms, base)
			}
			compareFiles(t, filepath.Join(featuresDir, name), files)
		})
	}
}

// told gives the model, and what users are told, as the golden files have them.
func (s spoken) told(t *testing.T) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"model.yaml":  s.named(tidyYAML(t, s.model)),
		"status.yaml": s.named(tidyYAML(t, s.status)),
	}
}

const featuresDir = "testdata/features"

func features(t testing.TB) []string {
	t.Helper()
	inputs, err := filepath.Glob(featuresDir + "/*/in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no features: %v", err)
	}
	var names []string
	for _, input := range inputs {
		names = append(names, filepath.Base(filepath.Dir(input)))
	}
	return names
}

// feature loads the objects of a feature.
func feature(t testing.TB, name string) []metav1.Object {
	t.Helper()
	return worldtest.Load(t, filepath.Join(featuresDir, name, "in.yaml"))
}

// compareFiles holds that a folder has these golden files, those with nothing in
// them left out, and no others.
func compareFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for _, file := range append(slices.Sorted(maps.Values(featureFiles)), "model.yaml", "status.yaml") {
		path := filepath.Join(dir, file)
		got := files[file]
		if *update {
			write(t, path, got)
		}
		want, err := os.ReadFile(path)
		if err != nil && (len(got) > 0 || !os.IsNotExist(err)) {
			t.Error(err)
			continue
		}
		if diff := gocmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got), -update writes it anew:\n%s", path, diff)
		}
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if len(content) > 0 {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// whole writes all resources as they are.
func (s spoken) whole(t *testing.T, files map[string][]byte) {
	t.Helper()
	for _, r := range s.resources {
		s.write(t, files, r, decode(t, jsonOf(t, r)).(map[string]any))
	}
}

// short writes resources as what differs from those of the base, and leaves out
// those that the base has as they are. What it writes tells all: it can be restored.
func (s spoken) short(t *testing.T, files map[string][]byte, forms *goldentest.Forms, base spoken) {
	t.Helper()
	known := map[envoy.Key]string{}
	for _, r := range base.resources {
		known[r.Key] = r.Version
	}
	for _, r := range s.resources {
		if known[r.Key] == r.Version {
			continue
		}
		tree := s.treeOf(t, r)
		short := forms.Short(r.TypeURL, tree)
		restored, err := forms.Restore(short)
		if err != nil || !reflect.DeepEqual(restored, tree) {
			t.Errorf("%s %s is not what its short form says (%v):\n%s", r.TypeURL, r.Name, err, gocmp.Diff(tree, restored))
		}
		s.write(t, files, r, short)
	}
}

func (s spoken) write(t *testing.T, files map[string][]byte, r envoy.Resource, tree map[string]any) {
	t.Helper()
	file, ok := featureFiles[r.TypeURL]
	if !ok {
		t.Errorf("no file is for resources of %s", r.TypeURL)
	}
	document := map[string]any{"name": r.Name, "resource": tree}
	if r.View != "" {
		document["view"] = r.View
	}
	out, err := yaml.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	files[file] = append(append(files[file], "---\n"...), s.named(out)...)
}

var viewName = regexp.MustCompile(`[0-9a-f]{32}`)

// named writes views by their first pod, since nobody can read a hash.
func (s spoken) named(text []byte) []byte {
	return viewName.ReplaceAllFunc(text, func(hash []byte) []byte {
		for _, p := range s.proxies {
			if p.Own() == string(hash) {
				return []byte(p.ID.Pod + "." + p.ID.Namespace)
			}
		}
		for _, w := range s.model.Workloads {
			if w.Workload.Family == string(hash) {
				return s.named([]byte("family-of-" + w.Workload.View))
			}
		}
		return hash
	})
}

// addTo makes forms of all resources.
func (s spoken) addTo(t *testing.T, forms *goldentest.Forms, of string) {
	t.Helper()
	for _, r := range s.resources {
		name := r.Name + of
		if r.View != "" {
			name = string(s.named([]byte(r.Name + " of " + r.View)))
		}
		forms.Add(r.TypeURL, name, s.treeOf(t, r))
	}
}

// treeOf gives a resource with what it is called by, its own name and its view's,
// replaced by $name, $view and $family: so that resources differ in what they are.
func (s spoken) treeOf(t *testing.T, r envoy.Resource) map[string]any {
	t.Helper()
	text := bytes.ReplaceAll(jsonOf(t, r), quoted(r.Name), quoted("$name"))
	for _, w := range s.model.Workloads {
		if r.View == w.Workload.View && r.View != "" {
			text = bytes.ReplaceAll(text, []byte(r.View), []byte("$view"))
			if w.Workload.Family != "" {
				text = bytes.ReplaceAll(text, []byte(w.Workload.Family), []byte("$family"))
			}
		}
	}
	return decode(t, text).(map[string]any)
}

func quoted(name string) []byte { return []byte(`"` + name + `"`) }

func jsonOf(t *testing.T, r envoy.Resource) []byte {
	t.Helper()
	text, err := envoy.YAML([]envoy.Resource{r})
	if err != nil {
		t.Fatal(err)
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Resource json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return document.Resource
}

func keysOf(resources []envoy.Resource) []envoy.Key {
	var keys []envoy.Key
	for _, r := range resources {
		keys = append(keys, r.Key)
	}
	return keys
}

// decode keeps numbers as they are written.
func decode(t testing.TB, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// tidyYAML leaves out what is not set.
func tidyYAML(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	tree := tidy(decode(t, text))
	if len(tree.(map[string]any)) == 0 {
		return nil
	}
	text, err = yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func tidy(tree any) any {
	switch node := tree.(type) {
	case map[string]any:
		for key, value := range node {
			empty, ok := value.(map[string]any)
			if value == nil || value == false || value == "" || ok && len(empty) == 0 && slices.Contains([]string{"Notices", "Reports", "Seen"}, key) || key == "CertificateLifetime" && value == json.Number("0") {
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
