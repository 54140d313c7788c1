// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package source

import "testing"

func TestIPv4CountsByAddressAndIPv6BySixtyFour(t *testing.T) {
	for remote, want := range map[string]string{
		"198.18.0.1:40000":                  "198.18.0.1",
		"198.18.0.2:40000":                  "198.18.0.2",
		"[::ffff:198.18.0.1]:40000":         "198.18.0.1",
		"[2001:2:0:1::1]:40000":             "2001:2:0:1::/64",
		"[2001:2:0:1:ffff:ffff:0:1]:500":    "2001:2:0:1::/64",
		"[2001:2:0:2::1]:40000":             "2001:2:0:2::/64",
		"[fe80::1%eth0]:40000":              "fe80::/64",
		"[fe80::2%eth1]:40000":              "fe80::/64",
		"[::1]:40000":                       "::/64",
		"@":                                 "@",
		"2001:2:0:1::1, which has no port.": "2001:2:0:1::1, which has no port.",
	} {
		if got := Of(remote); got != want {
			t.Errorf("source of %s is %s, want %s", remote, got, want)
		}
	}
}
