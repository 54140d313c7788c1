// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds"
	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// wire are connected proxies by a name, to see what goes to each of them.
type wire map[string]*proxy

// streams are the server's own counters: of all streams, by proxy and type.
type streams map[string]map[string]xds.Counts

// sent is what a change is to send to each proxy, "Type NAME", sorted; nothing to
// those that are not named. Names have no view: "in/14001".
type sent map[string][]string

// sends makes a change, and demands that it sends this and no more: by what each
// proxy has received, and by the server's counters of every stream that there is.
// The change gives what is wanted, since it may make up names.
func (w wire) sends(t *testing.T, change func() sent) {
	t.Helper()
	before := settled(t)
	since := map[string]int{}
	for name, p := range w {
		since[name] = p.mark()
	}
	want := change()
	await.Eventually(t, soon, "what is to be sent", func(context.Context) error {
		for name, p := range w {
			if got := withoutViews(p.told(since[name])); !reflect.DeepEqual(got, want[name]) {
				return fmt.Errorf("%s was sent %q, want %q", name, got, want[name])
			}
		}
		return nil
	})
	after := settled(t)
	for name, p := range w {
		if got := withoutViews(p.told(since[name])); !reflect.DeepEqual(got, want[name]) {
			t.Errorf("then %s was sent %q, want %q alone", name, got, want[name])
		}
		if got, want := difference(before[p.Node()], after[p.Node()]), countsOf(want[name]); !reflect.DeepEqual(got, want) {
			t.Errorf("the server has counted %v for %s, want %v", got, name, want)
		}
		delete(after, p.Node())
	}
	for id, counts := range after {
		if got := difference(before[id], counts); len(got) > 0 {
			t.Errorf("the server has counted %v for %s, which the change does not concern", got, id)
		}
	}
}

// mark is how many receipts there are.
func (p *proxy) mark() int {
	return len(p.Receipts())
}

// quiet is for how long nothing is sent before and after a change is looked at.
const quiet = time.Second

// settled waits until nothing is sent and all that was has been answered.
func settled(t *testing.T) streams {
	t.Helper()
	var last streams
	var since time.Time
	await.Eventually(t, soon, "the end of what goes to proxies", func(context.Context) error {
		now := counters(t)
		if !reflect.DeepEqual(now, last) {
			last, since = now, time.Now()
		}
		for id, types := range now {
			for kind, c := range types {
				if c.Acks+c.Nacks != c.Responses {
					return fmt.Errorf("%s has not answered all of %s", id, kind)
				}
			}
		}
		if time.Since(since) < quiet {
			return errors.New("the counters move")
		}
		return nil
	})
	return last
}

func counters(t *testing.T) streams {
	t.Helper()
	var out streams
	if err := json.Unmarshal([]byte(ask(t, "/debug/proxies")), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// count is how many resources of a type came and went.
type count struct{ sent, removed int }

func difference(before, after map[string]xds.Counts) map[string]count {
	out := map[string]count{}
	for kind, a := range after {
		b := before[kind]
		if c := (count{a.Resources - b.Resources, a.Removed - b.Removed}); c != (count{}) {
			out[kind] = c
		}
	}
	return out
}

func countsOf(receipts []string) map[string]count {
	out := map[string]count{}
	for _, receipt := range receipts {
		kind, name, _ := strings.Cut(receipt, " ")
		c := out[kind]
		if strings.HasPrefix(name, "-") {
			c.removed++
		} else {
			c.sent++
		}
		out[kind] = c
	}
	return out
}

var viewInName = regexp.MustCompile(` in/[0-9a-z]{32}/`)

func withoutViews(receipts []string) []string {
	var out []string
	for _, receipt := range receipts {
		out = append(out, viewInName.ReplaceAllString(receipt, " in/"))
	}
	return out
}
