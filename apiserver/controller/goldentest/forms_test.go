// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package goldentest

import (
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

const listener = `
"@type": Listener
name: base
address: {socket: {address: 0.0.0.0, port: 80}}
buffer: 1024
filters:
- name: first
  config: {"@type": First, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7}
- {name: last, config: {"@type": Last}}
addresses: [one, two]
`

func TestAnObjectIsWrittenAsWhatDiffersAndCanBeRestored(t *testing.T) {
	for _, test := range []struct{ name, tree, want string }{{
		"the same", listener, `{like: base}`,
	}, {
		"another value", `
"@type": Listener
name: other
address: {socket: {address: 0.0.0.0, port: 81}}
filters:
- name: first
  config: {"@type": First, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7}
- {name: last, config: {"@type": Last}}
addresses: [one]
`, `
like: base
name: other
address: {socket: {port: 81}}
addresses: [one]
buffer: (absent)
`,
	}, {
		"filters that come, change and go", `
"@type": Listener
name: base
address: {socket: {address: 0.0.0.0, port: 80}}
buffer: 1024
filters:
- {name: before, config: {"@type": Before}}
- name: first
  config: {"@type": First, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 8}
- name: second
  config: {"@type": First, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, h: 7}
- {name: third}
addresses: [one, two]
`, `
like: base
filters:
  (by name):
    before: {(after): "", name: before, config: {"@type": Before}}
    first: {config: {g: 8}}
    second: {(after): first, name: second, config: {g: (absent), h: 7, like: "base > first: First"}}
    third: {(after): second, name: third}
    last: (absent)
`,
	}, {
		"filters in another order", `
"@type": Listener
name: base
address: {socket: {address: 0.0.0.0, port: 80}}
buffer: 1024
filters:
- {name: last, config: {"@type": Last}}
- name: first
  config: {"@type": First, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7}
addresses: [one, two]
`, `
like: base
filters:
- {name: last, config: {"@type": Last}}
- {like: base > first}
`,
	}, {
		"another type", `
"@type": Listener
name: base
address: {"@type": Pipe, path: x}
buffer: 1024
filters:
- name: first
  config: {"@type": First, a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7}
- {name: last, config: {"@type": Last}}
addresses: [one, two]
`, `
like: base
address: {"@type": Pipe, path: x}
`,
	}} {
		t.Run(test.name, func(t *testing.T) {
			forms := NewForms()
			forms.Add("Listener", "base", parse(t, listener))
			tree := parse(t, test.tree)
			short := forms.Short("Listener", tree)
			if want := parse(t, test.want); !reflect.DeepEqual(short, want) {
				got, _ := yaml.Marshal(short)
				t.Errorf("written as\n%s", got)
			}
			restored, err := forms.Restore(short)
			if err != nil || !reflect.DeepEqual(restored, tree) {
				got, _ := yaml.Marshal(restored)
				t.Errorf("restored (%v):\n%s", err, got)
			}
		})
	}
}

// What all have in addition is written nowhere.
func TestAFilterThatAllHaveShowsInNoDifference(t *testing.T) {
	const own = `{"@type": Listener, name: other, buffer: 1, a: 1, b: 2, c: 3, filters: [{name: first}, {name: own, x: 1}, {name: last}]}`
	const ownWithNew = `{"@type": Listener, name: other, buffer: 1, a: 1, b: 2, c: 3, filters: [{name: first}, {name: own, x: 1}, {name: new, y: 1}, {name: last}]}`
	before, after := NewForms(), NewForms()
	before.Add("Listener", "base", parse(t, `{"@type": Listener, name: base, a: 1, b: 2, c: 3, filters: [{name: first}, {name: last}]}`))
	after.Add("Listener", "base", parse(t, `{"@type": Listener, name: base, a: 1, b: 2, c: 3, filters: [{name: first}, {name: new, y: 1}, {name: last}]}`))
	was, is := before.Short("Listener", parse(t, own)), after.Short("Listener", parse(t, ownWithNew))
	if !reflect.DeepEqual(was, is) {
		t.Errorf("was written as %v, and is as %v", was, is)
	}
}

func TestAnUnknownFormIsAnError(t *testing.T) {
	if _, err := NewForms().Restore(map[string]any{"like": "nothing"}); err == nil {
		t.Error("restored from a form that is not there")
	}
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}
