// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// maxSize bounds what each pod of the mesh gets a copy of, in bytes.
const maxSize = 6_000_000

// TestTheHelperIsSmall builds it as the image has it.
func TestTheHelperIsSmall(t *testing.T) {
	program := filepath.Join(t.TempDir(), "mesh-helper")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if file.Size() > maxSize {
		t.Errorf("mesh-helper has %d bytes, more than %d: which package does it need no longer?", file.Size(), maxSize)
	}
}
