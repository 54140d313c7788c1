// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// manyRules has enough of everything for the order of a map to show.
func manyRules() model.Access {
	access := model.Access{Closed: true}
	for i := range 20 {
		access.Allow = append(access.Allow, model.Rule{
			Name: fmt.Sprintf("bookstore/readers/%d", i),
			From: from(fmt.Sprintf("spiffe://cluster.local/ns/a/sa/%d", i), buyer),
			To:   []model.Match{{Kind: model.MatchAny}},
		})
	}
	return access
}

func TestSameWorkloadGivesSameBytes(t *testing.T) {
	w := model.Workload{View: "0123456789abcdef", Ports: []model.InboundPort{{Number: 8080, Protocol: model.ProtocolHTTP1, Access: manyRules()}, {}}}
	want := versions(t, w)
	for range 20 {
		if diff := cmp.Diff(want, versions(t, w)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestOrderOfRulesDoesNotMatter(t *testing.T) {
	access := manyRules()
	shuffled := model.Access{Closed: true, Allow: slices.Clone(access.Allow)}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(shuffled.Allow), func(i, j int) {
		shuffled.Allow[i], shuffled.Allow[j] = shuffled.Allow[j], shuffled.Allow[i]
	})
	if diff := cmp.Diff(versions(t, onePort(access)), versions(t, onePort(shuffled))); diff != "" {
		t.Error(diff)
	}
}

// versions are the hashes of a workload's resources.
func versions(t *testing.T, w model.Workload) map[Key]string {
	t.Helper()
	resources, err := Workload(model.Mesh{TrustDomain: "cluster.local"}, w, []byte(testRoots), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[Key]string{}
	for _, r := range resources {
		out[r.Key] = r.Version
	}
	return out
}
