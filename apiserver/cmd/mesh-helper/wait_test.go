// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestInitWaitsUntilTheProxyHasItsConfiguration: the proxy does not run at first,
// then has no configuration.
func TestInitWaitsUntilTheProxyHasItsConfiguration(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	ended := make(chan error, 1)
	go func() { ended <- awaitProxy(t.Context(), socket, os.Getuid()) }()

	var live atomic.Bool
	asked := make(chan struct{}, 1)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ready" {
			t.Errorf("asked for %s", r.URL)
		}
		if !live.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "PRE_INITIALIZING\n")
			select {
			case asked <- struct{}{}:
			default:
			}
			return
		}
		_, _ = io.WriteString(w, "LIVE\n")
	})}
	go server.Serve(listener)
	t.Cleanup(func() { _ = server.Close() })

	for range 3 {
		select {
		case err := <-ended:
			t.Fatalf("init has ended (%v) before the proxy was ready", err)
		case <-asked:
		}
	}
	live.Store(true)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestInitEndsWhenItsPodIsDeleted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := awaitProxy(ctx, filepath.Join(t.TempDir(), "admin.sock"), os.Getuid())
	if err == nil || !strings.HasPrefix(err.Error(), "ended before the proxy was ready: ") {
		t.Errorf("error is %v", err)
	}
}

func TestAProxyWithoutConfigurationIsToldFromOneThatDoesNotRun(t *testing.T) {
	for state, want := range map[string]string{
		"PRE_INITIALIZING": "it has not heard from the control plane",
		"INITIALIZING":     "it has not got all that it asked the control plane for",
		"DRAINING":         "it says DRAINING",
	} {
		if got := (errNotReady{state}).Error(); !strings.HasPrefix(got, want) {
			t.Errorf("%s reads %q, want %q", state, got, want)
		}
	}
	err := ready(t.Context(), filepath.Join(t.TempDir(), "admin.sock"))
	if notReady := (errNotReady{}); err == nil || errors.As(err, &notReady) {
		t.Errorf("a proxy that does not run: %v", err)
	}
}

// TestANodeWithoutInotifyInstancesIsNamedByItsSysctl takes all that a user has.
func TestANodeWithoutInotifyInstancesIsNamedByItsSysctl(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root: it becomes another user")
	}
	const uid = sidecar.FirstProxyUID + sidecar.ProxyUIDs - 1
	if err := takeInotifyInstance(uid); err != nil {
		t.Fatalf("a user that has taken none: %v", err)
	}
	holdInstances(t, uid)
	want := "this node has no inotify instance left for the proxy's user " + strconv.Itoa(uid) + ": raise its sysctl fs.inotify.max_user_instances"
	if err := takeInotifyInstance(uid); err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if err := takeInotifyInstance(uid - 1); err != nil {
		t.Errorf("another user: %v", err)
	}
}

// holdInstances takes every inotify instance of a user until the test ends.
func holdInstances(t *testing.T, uid int) {
	t.Helper()
	err := asUser(uid, func() error {
		for range 1 << 16 {
			fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
			if errors.Is(err, unix.EMFILE) {
				return nil
			}
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = unix.Close(fd) })
		}
		return errors.New("fs.inotify.max_user_instances is too large for this test")
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnswersOfTheAdminInterface(t *testing.T) {
	for name, answer := range map[string]string{
		"chunks":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nLIV\r\n2\r\nE\n\r\n0\r\n\r\n",
		"a length": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nLIVE\n",
		"its end":  "HTTP/1.1 200 OK\r\n\r\nLIVE\n",
	} {
		status, body, err := ask(t.Context(), answering(t, answer), "GET", "/ready")
		if status != 200 || body != "LIVE\n" || err != nil {
			t.Errorf("%s: got %d, %q, %v", name, status, body, err)
		}
	}
	for _, answer := range []string{"", "HTTP/1.1 \r\n\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nLI"} {
		if status, body, err := ask(t.Context(), answering(t, answer), "GET", "/ready"); err == nil {
			t.Errorf("%q reads as %d, %q", answer, status, body)
		}
	}
}

func TestAnAnswerThatDoesNotComeIsNotWaitedForLongerThanAllowed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "silent.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := ask(ctx, socket, "GET", "/ready"); err == nil {
		t.Error("an answer came")
	}
}

// answering gives a socket on which each request gets these bytes.
func answering(t *testing.T, answer string) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buffer := make([]byte, 1024)
			_, _ = conn.Read(buffer)
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	return socket
}
