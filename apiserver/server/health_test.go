// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"testing"
)

func TestCheckThatGatesTheStartAlone(t *testing.T) {
	var fault error
	gated := untilFirst(check("root", func() error { return fault }))
	for _, step := range []struct {
		name    string
		fault   error
		healthy bool
	}{
		{"not there yet", errors.New("no root"), false},
		{"there", nil, true},
		{"lost later", errors.New("no root"), true},
	} {
		fault = step.fault
		if err := gated.Check(nil); (err == nil) != step.healthy {
			t.Errorf("%s: got %v, want healthy %t", step.name, err, step.healthy)
		}
	}
}
