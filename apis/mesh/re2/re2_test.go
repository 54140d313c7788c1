// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package re2

import (
	"strings"
	"testing"
)

// TestWhatGoTakesAndAProxyRefusesIsRefused has the expressions in which Go and
// Envoy 1.40 differ; envoy/regexp_envoy_test.go shows what Envoy takes.
func TestWhatGoTakesAndAProxyRefusesIsRefused(t *testing.T) {
	for expression, want := range map[string]string{
		`\p{Letter}`:                      "Unicode class",
		`\p{Cn}`:                          "Unicode class",
		`[\pL\pN]+`:                       "Unicode class",
		`\PL`:                             "Unicode class",
		`\\\pL`:                           "Unicode class",
		`\x{10FFFF}`:                      "above",
		`[\x{100}-\x{200}]`:               "above",
		`\777`:                            "above",
		`straße`:                          "ASCII",
		"\xff":                            "ASCII",
		`(`:                               "regular expression (RE2)",
		`a**`:                             "regular expression (RE2)",
		`\C`:                              "regular expression (RE2)",
		``:                                "empty",
		`(?i)([a-z]{100}){10}[a-z]{1000}`: "smaller",
	} {
		if err := Check(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one about %q", expression, err, want)
		}
	}
}

func TestWhatIsReadAlikeIsTaken(t *testing.T) {
	for _, expression := range []string{
		`/books/[0-9]+`, `(?i)abc`, `\\p`, `\Q\p{L}\E`, `\xC3\x9F`, `\x{ff}`, `\377`, `[[:alpha:]]+`, `.{500}`, `(?P<a>x)`, `(?<a>x)`, `[^/]*`, `\d\w\s`,
	} {
		if err := Check(expression); err != nil {
			t.Errorf("%q: %v", expression, err)
		}
	}
}
