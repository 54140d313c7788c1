// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// TestTheDocsHaveTheTable: each row is one of the decision's.
func TestTheDocsHaveTheTable(t *testing.T) {
	const file = "../../../../docs/decisions/filter-table.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, f := range Table {
		if row := inDocs(f); !strings.Contains(string(text), row) {
			missing = append(missing, row)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s lacks\n%s", file, strings.Join(missing, "\n"))
	}
}

var phases = map[Phase]string{Inspect: "inspect", Prepare: "prepare", Deny: "deny", Allow: "allow", Serve: "serve"}

func inDocs(f Filter) string {
	var where []string
	for _, l := range f.Lists {
		where = append(where, string(l.Direction)+": "+l.Of)
	}
	name := "`" + f.Name + "`"
	if f.Source == ECDS {
		name = "`…" + f.Suffix + "`"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", name, message(f.Config), f.Lists[0].Layer, strings.Join(where, "; "), phases[f.Phase], f.Presence+", "+Presence(f.Source))
}

func message(m proto.Message) string { return string(m.ProtoReflect().Descriptor().Name()) }
