// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// compile makes no such rule; should it ever, the rule must not say everybody.
func TestAnAllowThatSaysNothingOfTheCallerAdmitsNobody(t *testing.T) {
	everything := []model.Match{{Kind: model.MatchAny}}
	rbac, err := allowRules(model.Mesh{TrustDomain: "cluster.local"}, model.Access{Closed: true, Allow: []model.Rule{
		{Name: "a/empty/0", From: []model.Source{{}}, To: everything},
		{Name: "a/nobody/0", To: everything},
		{Name: "a/everybody/0", From: []model.Source{{Authenticated: true}}, To: everything},
	}}, allowRequest)
	if err != nil {
		t.Fatal(err)
	}
	if len(rbac.Policies) != 1 || rbac.Policies["a/everybody/0"] == nil {
		t.Errorf("got %v, want the rule for everybody alone", rbac.Policies)
	}
}
