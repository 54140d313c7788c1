// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// A caller that makes TLS by itself on a port that is declared as HTTP is told by
// nothing but "wrong version number"; the Service has an Event that says what to
// declare.
func TestAServiceIsToldOfTLSOnItsPortOfHTTP(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	wantGet(t, buyer, "200", shop.URL("/"))
	address := "shop." + shop.Namespace + ":80"
	if got := buyer.Get(t.Context(), "https://"+address+"/"); !strings.HasPrefix(got, "no answer") {
		t.Errorf("TLS to %s: %s, want no answer", address, got)
	}
	await.State(t, soon, func() (string, bool) {
		note, err := live.Kubectl(t.Context(), "", "get", "events", "-n", shop.Namespace, "--field-selector", "reason=NotHTTP,involvedObject.kind=Service",
			"-o", "jsonpath={.items[*].message}")
		if err != nil {
			return err.Error(), false
		}
		return "Events NotHTTP on the Service: " + note, strings.Contains(note, "port 80 is declared as HTTP") &&
			strings.Contains(note, "proxies of namespace "+buyer.Namespace) && strings.Contains(note, "appProtocol https")
	})
}
