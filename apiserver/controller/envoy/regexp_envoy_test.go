//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/re2"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestEnvoyTakesEveryExpressionThatIsAdmitted: one that admission takes and a
// proxy refuses would leave wider access in force than the policy says.
func TestEnvoyTakesEveryExpressionThatIsAdmitted(t *testing.T) {
	t.Parallel()
	var admitted []model.PathMatch
	for _, expression := range []string{
		`/books/[0-9]+`, `(?i)stra\xC3\x9Fe`, `\Q\p{L}\E`, `\x{ff}`, `\377`, `[[:word:]]+`, `[^\x00-\x1f]`, `\d\D\w\W\s\S`, `\b\B`, `\a\f\t\n\r\v`,
		`.{1000}`, `(?i)[a-z]{900}`, `(a{100}){10}`, `((a|b){30}){30}`, `[^a]{1000}`, `(?P<a>x)`, `(?<a>x)`, `a{,2}`, `(|a)*`, `(?U)a+`, `(?s).*`, `(?m)^a$`, `\Ax\z`,
		`\p{Letter}`, `\p{Greek}`, `\x{100}`, `\777`, `straße`, `\C`, `a**`, `a{1001}`,
	} {
		if re2.Check(expression) == nil {
			admitted = append(admitted, model.PathMatch{Type: model.ValueRegularExpression, Value: expression})
		}
	}
	if len(admitted) < 15 {
		t.Fatalf("only %d expressions are admitted", len(admitted))
	}
	for _, path := range admitted {
		w := onePort(model.Access{Deny: []model.Rule{{Name: "ns/policy/0", To: []model.Match{{Kind: model.MatchHTTP, Paths: []model.PathMatch{path}}}}}})
		w.Ports[0].Protocol = model.ProtocolHTTP1
		t.Run(path.Value, func(t *testing.T) { takenByEnvoy(t, w) })
	}
}

// takenByEnvoy gives a workload's resources to the real Envoy, in static form.
func takenByEnvoy(t *testing.T, w model.Workload) {
	t.Helper()
	pod := newTestPod(t)
	config, err := bootstrapConfig(testPod())
	if err != nil {
		t.Fatal(err)
	}
	resources, err := Workload(model.Mesh{TrustDomain: "cluster.local"}, w, pod.Roots, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		embed(t, config.StaticResources, r.Name, r)
	}
	yaml, err := messageYAML(config)
	if err != nil {
		t.Fatal(err)
	}
	pod.Accepts(t, envoytest.Binary(t), yaml)
}
