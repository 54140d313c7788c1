// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"regexp"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

func TestDeniedPathIsDeniedInEachSpelling(t *testing.T) {
	for _, test := range []struct {
		path    model.PathMatch
		denied  []string
		ignored []string
	}{{
		path:    model.PathMatch{Type: model.ValueExact, Value: "/v1/books:delete"},
		denied:  []string{"/v1/books:delete", "/v1/books%3Adelete", "/v1/books%3adelete"},
		ignored: []string{"/v1/books", "/v1/books:delete/x", "/v1/books:deleted", "/v1/booksXdelete"},
	}, {
		path:    model.PathMatch{Type: model.ValuePathPrefix, Value: "/caf%C3%A9"},
		denied:  []string{"/caf%C3%A9", "/caf%c3%a9", "/caf%C3%a9/menu"},
		ignored: []string{"/caf", "/caf%C3%A9s"},
	}, {
		path:    model.PathMatch{Type: model.ValueExact, Value: "/a%5Bb.c"},
		denied:  []string{"/a[b.c", "/a%5bb.c"},
		ignored: []string{"/a[bxc"},
	}} {
		re := regexp.MustCompile("^(?:" + deniedPath(test.path).GetUrlPath().GetPath().GetSafeRegex().GetRegex() + ")$")
		for _, path := range test.denied {
			if !re.MatchString(path) {
				t.Errorf("a Deny of %s lets %s pass", test.path.Value, path)
			}
		}
		for _, path := range test.ignored {
			if re.MatchString(path) {
				t.Errorf("a Deny of %s denies %s", test.path.Value, path)
			}
		}
	}
}
