// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

func TestPlaintextFromOutsideIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	headless := live.Headless(t, shop.Namespace, "pods", "shop")
	live.AwaitEndpoints(t, shop.Namespace, "pods")
	wantGet(t, buyer, "200", shop.URL("/"))
	tests := []struct{ name, host, port string }{
		{"the Service's address", shop.Addresses["shop"][0], "80"},
		{"the Service's IPv6 address", shop.Addresses["shop"][1], "80"},
		{"a headless Service", headless, "8080"},
		{"a TCP port of a headless Service", headless, "9000"},
		{"the pod's address", shop.IP, "8080"},
		{"the pod's IPv6 address", shop.IP6, "8080"},
		{"a TCP port by its Service", shop.Addresses["echo"][0], "9000"},
		{"a TCP port by its Service's IPv6 address", shop.Addresses["echo"][1], "9000"},
		{"a TCP port of the pod", shop.IP, "9000"},
		{"a TCP port of the pod's IPv6 address", shop.IP6, "9000"},
		{"a port that no Service names", shop.IP, namelessPort},
		{"the same by the pod's IPv6 address", shop.IP6, namelessPort},
		{"the proxy's inbound port", shop.IP, "15006"},
		{"the proxy's outbound port", shop.IP, "15001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := net.JoinHostPort(tt.host, tt.port)
			if got := outsider.Get(t.Context(), "http://"+address+"/"); !strings.HasPrefix(got, "no answer") {
				t.Errorf("a caller who speaks got %s, want no answer", got)
			}
			// Until a caller speaks the proxy waits for his handshake.
			silent := outsider.Watch(t, "hold", address)
			await.State(t, soon, func() (string, bool) {
				return "nothing became of a connection", len(silent.Outcomes("new")) > 0 && len(silent.Outcomes("old")) > 0
			})
			for _, connection := range []string{"new", "old"} {
				for _, got := range silent.Outcomes(connection) {
					if got == "echo" || strings.Contains(got, "bytes") && !strings.HasSuffix(got, "after 0 bytes") {
						t.Errorf("a caller who listens got %s, want not a byte", got)
					}
				}
			}
		})
	}
	t.Cleanup(func() {
		for _, port := range []string{"9000", namelessPort} {
			if got := connections(t, shop, port); got != 0 {
				t.Errorf("the server took %d connections on port %s", got, port)
			}
		}
	})
}

var namelessPort = fmt.Sprint(cluster.NamelessPort)
