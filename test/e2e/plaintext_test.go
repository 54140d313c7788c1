// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

func TestPlaintextFromOutsideIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	wantGet(t, buyer, "200", shop.URL("/"))
	for name, host := range map[string]string{
		"the Service's address":      shop.Addresses["shop"][0] + ":80",
		"the Service's IPv6 address": net.JoinHostPort(shop.Addresses["shop"][1], "80"),
		"the pod's address":          shop.IP + ":8080",
		"the pod's IPv6 address":     net.JoinHostPort(shop.IP6, "8080"),
		"the proxy's inbound port":   shop.IP + ":15006",
		"the proxy's outbound port":  shop.IP + ":15001",
	} {
		if got := outsider.Get(t.Context(), "http://"+host+"/"); !strings.HasPrefix(got, "no answer") {
			t.Errorf("%s: got %s, want no answer", name, got)
		}
	}
	for name, address := range map[string]string{
		"a TCP port by its Service":    shop.Addresses["echo"][0] + ":9000",
		"a TCP port of the pod":        shop.IP + ":9000",
		"a port that no Service names": fmt.Sprintf("%s:%d", shop.IP, cluster.NamelessPort),
		"the same by the pod's IPv6":   net.JoinHostPort(shop.IP6, fmt.Sprint(cluster.NamelessPort)),
	} {
		held := outsider.Watch(t, "hold", "--for=20s", address)
		cluster.Eventually(t, soon, func() (string, bool) {
			outcomes := held.Outcomes("new")
			return fmt.Sprintf("%s: %v", name, outcomes), len(outcomes) > 0
		})
		if got := held.Outcomes("new")[0]; got == "echo" || strings.HasPrefix(got, "silent") || strings.HasPrefix(got, "closed after") && got != "closed after 0 bytes" {
			t.Errorf("%s: got %s, want a refusal", name, got)
		}
	}
	for _, port := range []int{9000, cluster.NamelessPort} {
		if got := connections(t, shop, port); got != 0 {
			t.Errorf("the server took %d connections on port %d", got, port)
		}
	}
}
