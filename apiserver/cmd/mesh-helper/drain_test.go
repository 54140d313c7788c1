// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// admin answers as Envoy's admin interface does, on a unix socket.
type admin struct {
	socket  string
	drained atomic.Bool
	// busy is how many more times the statistics show a call in progress.
	busy atomic.Int32
}

func newAdmin(t *testing.T) *admin {
	a := &admin{socket: filepath.Join(t.TempDir(), "admin.sock")}
	listener, err := net.Listen("unix", a.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: a}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return a
}

func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/drain_listeners" && r.Method == http.MethodPost && r.URL.Query().Has("inboundonly") && r.URL.Query().Has("graceful"):
		a.drained.Store(true)
		io.WriteString(w, "OK\n")
	case r.URL.Path == "/stats" && a.drained.Load():
		active := 0
		if a.busy.Add(-1) >= 0 {
			active = 1
		}
		for _, line := range []string{
			"cluster.inbound/http1.upstream_rq_active: 0",
			fmt.Sprintf("cluster.inbound/http2.upstream_rq_active: %d", active),
			"cluster.inbound/tcp.upstream_cx_active: 0",
			// Calls outwards, idle connections and probes are not waited for.
			"cluster.inbound/http2.upstream_cx_active: 7",
			"cluster.out/shop/app:80.upstream_rq_active: 7",
			"cluster.probe/HTTP.upstream_rq_active: 7",
		} {
			name, _, _ := strings.Cut(line, ": ")
			if regexp.MustCompile(r.URL.Query().Get("filter")).MatchString(name) {
				fmt.Fprintln(w, line)
			}
		}
	default:
		http.Error(w, "invalid path or method", http.StatusMethodNotAllowed)
	}
}

func TestDrainWaitsUntilTheProxyIsIdle(t *testing.T) {
	a := newAdmin(t)
	a.busy.Store(3)
	if err := drain(t.Context(), a.socket, time.Minute); err != nil {
		t.Fatal(err)
	}
	if !a.drained.Load() {
		t.Error("the listeners were not drained")
	}
	if left := a.busy.Load(); left != -1 {
		t.Errorf("drain asked %d times, want 4", 3-left)
	}
}

func TestDrainGivesUpInTime(t *testing.T) {
	const calls = 1 << 20
	a := newAdmin(t)
	a.busy.Store(calls)
	var err error
	// On a slow machine the time may be over before the proxy has heard of it.
	for timeout := 500 * time.Millisecond; a.busy.Load() == calls && timeout < time.Minute; timeout *= 2 {
		err = drain(t.Context(), a.socket, timeout)
	}
	if err != nil {
		t.Errorf("time over is not a failure: %v", err)
	}
}

func TestDrainWithoutAProxy(t *testing.T) {
	err := drain(t.Context(), filepath.Join(t.TempDir(), "admin.sock"), time.Minute)
	if err == nil || !strings.HasPrefix(err.Error(), "drain the proxy's listeners: ") {
		t.Errorf("error is %v", err)
	}
}
