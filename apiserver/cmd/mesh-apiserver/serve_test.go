// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"

	basecompatibility "k8s.io/component-base/compatibility"
)

func TestHelpShowsTheFlagsOfItsCommandAlone(t *testing.T) {
	for _, test := range []struct {
		args       string
		has, lacks []string
	}{
		{"--help", []string{"--etcd-servers", "--xds-port", "restore brings"}, []string{"--revision"}},
		{"version --help", []string{"Print the version"}, []string{"--etcd-servers"}},
	} {
		t.Run(test.args, func(t *testing.T) {
			cmd := newCommand(basecompatibility.NewComponentGlobalsRegistry())
			var out bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetArgs(strings.Fields(test.args))
			if err := cmd.Execute(); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.has {
				if !strings.Contains(out.String(), want) {
					t.Errorf("lacks %q:\n%s", want, out.String())
				}
			}
			for _, unwanted := range test.lacks {
				if strings.Contains(out.String(), unwanted) {
					t.Errorf("has %q of another command", unwanted)
				}
			}
		})
	}
}
