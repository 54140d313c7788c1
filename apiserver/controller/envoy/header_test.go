// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestOthersThanMatchAllStringsButOne(t *testing.T) {
	long := strings.Repeat("ab", maxLeaves)
	for _, one := range []string{"", "a", "books", `a.b\c[d]^-`, long} {
		var others []*regexp.Regexp
		for _, re := range othersThan(one) {
			others = append(others, regexp.MustCompile("^(?:"+re+")$"))
		}
		for _, s := range []string{
			"", "a", "b", "aa", "books", "book", "bookstore", "boOks", "xooks", "books\n", "a.b", `a.b\c[d]^-`, `aXb\c[d]^-`,
			long, long[1:], long[:len(long)-1], long + "a", long[:maxLeaves], long[:maxLeaves] + "x" + long[maxLeaves+1:],
		} {
			if got := slices.ContainsFunc(others, func(re *regexp.Regexp) bool { return re.MatchString(s) }); got != (s != one) {
				t.Errorf("%.30q is another than %.30q: %v", s, one, got)
			}
		}
	}
}
