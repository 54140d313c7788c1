// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFullLogIsPutAsideOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "part.log")
	if err := copyBounded(name, 8, strings.NewReader("one\ntwo\nthree\nfour\n")); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{name: "four\n", name + ".1": "three\n"} {
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s holds %q, want %q", filepath.Base(file), got, want)
		}
	}
}

func TestLogGoesOnWhereItEnded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "part.log")
	for _, line := range []string{"before\n", "after\n"} {
		if err := copyBounded(name, 1024, strings.NewReader(line)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(name); string(got) != "before\nafter\n" {
		t.Errorf("log holds %q", got)
	}
}
