// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestARestartRenamesOnlyChainsWhoseAccessChangedMeanwhile takes a port through
// a widening, a restart, and what a restart may find.
func TestARestartRenamesOnlyChainsWhoseAccessChangedMeanwhile(t *testing.T) {
	onlyBuyer := model.Access{Closed: true, Allow: rule(from(buyer), model.MatchAny)}
	both := model.Access{Closed: true, Allow: rule(from(buyer, thief), model.MatchAny)}
	for _, c := range []struct {
		name                       string
		first, then, afterTheStart model.Access
		renamed                    bool
	}{
		{"nothing has changed", onlyBuyer, onlyBuyer, onlyBuyer, false},
		{"it had widened", onlyBuyer, both, both, false},
		{"it had widened and is again what it began with", onlyBuyer, both, onlyBuyer, true},
		{"it had widened and is closed", onlyBuyer, both, model.Access{Closed: true}, true},
		{"it had narrowed", both, onlyBuyer, onlyBuyer, false},
		{"it had narrowed and is wider again", both, onlyBuyer, both, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := NextGenerations(NextGenerations(nil, onePort(c.first)), onePort(c.then))
			after := NextGenerations(restarted(t, before), onePort(c.afterTheStart))
			if renamed := before[9090].Name != after[9090].Name; renamed != c.renamed {
				t.Errorf("renamed: %t, want %t (%s, %s)", renamed, c.renamed, before[9090].Name, after[9090].Name)
			}
			if again := NextGenerations(restarted(t, after), onePort(c.afterTheStart)); again[9090].Name != after[9090].Name {
				t.Errorf("a second restart renamed %s to %s", after[9090].Name, again[9090].Name)
			}
		})
	}
}

func restarted(t *testing.T, g Generations) Generations {
	t.Helper()
	record, err := g.Record()
	if err != nil {
		t.Fatal(err)
	}
	if record == nil {
		return nil
	}
	read, err := ReadRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestABrokenRecordIsRefused(t *testing.T) {
	for _, record := range []string{"", "[]", `{"9090":{}}`, `{"x":{"name":"a","access":"b"}}`} {
		if _, err := ReadRecord([]byte(record)); err == nil {
			t.Errorf("%q was read", record)
		}
	}
}
