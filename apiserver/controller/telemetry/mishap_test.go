// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestMishapIsReadFromTheNamesThatEnvoyGives has those of Envoy 1.40, and what a
// pod could send in their place.
func TestMishapIsReadFromTheNamesThatEnvoyGives(t *testing.T) {
	web := model.ServiceKey{Namespace: "shop", Name: "web"}
	for name, want := range map[string]*model.Mishap{
		"listener.out/shop/web_80.downstream_listener_filter_remote_close": {Kind: model.MishapUndetected, Service: web, Port: 80},
		"http.out/shop/web_80.downstream_cx_protocol_error":                {Kind: model.MishapNotHTTP, Service: web, Port: 80},
		"http.out/shop/web_80/sa/a.b.downstream_cx_protocol_error":         {Kind: model.MishapNotHTTP, Service: web, Port: 80},
		"mishap.undetected.port.8080":                                      {Kind: model.MishapUndetected, Port: 8080},
		"mishap.tls.port.8080":                                             {Kind: model.MishapNotHTTP, Port: 8080},

		"mishap.tls.port.0":     nil,
		"mishap.tls.port.65536": nil,
		"mishap.other.port.80":  nil,
		"http.out/shop/web_80.downstream_listener_filter_remote_close":        nil,
		"listener.out/shop/web_80.downstream_cx_protocol_error":               nil,
		"listener.out/shop/web_99999.downstream_listener_filter_remote_close": nil,
		"listener.out/shop/a/b_80.downstream_listener_filter_remote_close":    nil,
		"listener.out//web_80.downstream_listener_filter_remote_close":        nil,
		"listener.out/shop/W\n_80.downstream_listener_filter_remote_close":    nil,
		"http.in/8080.downstream_cx_protocol_error":                           nil,
	} {
		got, ok := parseMishap(name)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%q is read as %+v, %v, want %+v", name, got, ok, want)
		}
	}
}

// TestMishapsOfOnePushAreHandedOnWithTheirView: once each, and no more than a proxy
// can have counted.
func TestMishapsOfOnePushAreHandedOnWithTheirView(t *testing.T) {
	type told struct {
		View string
		Kind model.MishapKind
		N    int64
	}
	var got []told
	server := New(Options{
		View:    func(context.Context) (string, error) { return "view", nil },
		Audited: func(string) map[uint16]model.Audit { return nil },
		Mishap:  func(view string, m model.Mishap, n int64) { got = append(got, told{view, m.Kind, n}) },
	})
	for _, points := range [][]int64{{3}, {0}, {-5}, {math.MaxInt64, math.MaxInt64}} {
		if _, err := server.Export(t.Context(), pushed("mishap.undetected.port.8080", points...)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]told{{"view", model.MishapUndetected, 3}, {"view", model.MishapUndetected, maxPushed}}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
