// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
)

func TestAPanicBreaksItsRule(t *testing.T) {
	got := guarded("readers", func() intent.Rule { panic("out of range") })
	if diff := cmp.Diff(intent.Rule{Name: "readers", Broken: "it cannot be read: out of range"}, got); diff != "" {
		t.Errorf("the rule (-want +got):\n%s", diff)
	}
}
