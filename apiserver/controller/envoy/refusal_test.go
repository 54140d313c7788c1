// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

func testPod() BootstrapParams {
	return BootstrapParams{
		XDSHost:       "127.0.0.1",
		XDSPort:       sidecar.PortXDS,
		XDSServerName: "mesh-apiserver.mesh-system.svc",
	}
}

func TestBootstrapNamesWhatIsMissing(t *testing.T) {
	for want, spoil := range map[string]func(*BootstrapParams){
		"control plane": func(p *BootstrapParams) { p.XDSServerName = "" },
		"scheme \"FTP\"": func(p *BootstrapParams) {
			p.Probes = []ProbeRoute{{Path: "/probe/app/liveness", Port: 80, Scheme: "FTP", Timeout: time.Second}}
		},
		"timeout 0s": func(p *BootstrapParams) {
			p.Probes = []ProbeRoute{{Path: "/probe/app/liveness", Port: 80, Scheme: ProbeTCP}}
		},
	} {
		params := testPod()
		spoil(&params)
		if _, err := Bootstrap(params); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
}

func TestWorkloadThatCannotBeSaidIsAnError(t *testing.T) {
	allow := func(s model.Source, m model.Match) model.Workload {
		return onePort(model.Access{Closed: true, Allow: []model.Rule{{Name: "ns/policy/0", From: []model.Source{s}, To: []model.Match{m}}}})
	}
	any := model.Match{Kind: model.MatchAny}
	for _, c := range []struct {
		name  string
		w     model.Workload
		roots string
		want  string
	}{
		{"without roots nobody could be verified", onePort(model.Access{}), "", "no workload roots"},
		{"a principal that is not UTF-8", allow(model.Source{Principals: []model.Principal{{ID: "\xff"}}}, any), testRoots, "not UTF-8"},
		{"a path that is not UTF-8", allow(model.Source{}, model.Match{Kind: model.MatchHTTP, Paths: []model.PathMatch{{Value: "\xff"}}}), testRoots, "not UTF-8"},
		{"an IP block that is none", allow(model.Source{IPBlocks: []model.IPBlock{{CIDR: "198.18.0.0"}}}, any), testRoots, "parse IP block"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Workload(model.Mesh{TrustDomain: "cluster.local"}, c.w, []byte(c.roots), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestProbesKnowTheProxysPorts: a redirect there leads to what is not there without the mesh.
func TestProbesKnowTheProxysPorts(t *testing.T) {
	for _, port := range sidecar.ProxyPorts {
		if !strings.Contains(probeScript, fmt.Sprintf("[%d] = true", port)) {
			t.Errorf("probes.lua lacks the proxy's port %d", port)
		}
	}
}
