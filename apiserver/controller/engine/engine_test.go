// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
)

func TestPanicIsTheErrorOfItsUnit(t *testing.T) {
	err := guarded("service", func() error { panic("out of range") })
	if err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Errorf("guarded gave %v, want the panic", err)
	}
}
