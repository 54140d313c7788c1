// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestMain lets a test run this binary again as a server that it may kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ETCD_TEST_SERVE"); dir != "" {
		serveForever(dir)
	}
	os.Exit(m.Run())
}

func serveForever(dir string) {
	s, err := Start(context.Background(), Config{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	endpoint := s.Endpoint()
	// Nothing refers to the server any more, and its lock stays.
	runtime.GC()
	runtime.GC()
	fmt.Println(endpoint)
	select {}
}

func startServer(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return s
}

func stopServer(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

func newClient(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatalf("connect to %s: %v", endpoint, err)
	}
	return c
}

func put(t *testing.T, endpoint, key, value string) {
	t.Helper()
	c := newClient(t, endpoint)
	defer c.Close()
	if _, err := c.Put(t.Context(), key, value); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func wantValue(t *testing.T, endpoint, key, want string) {
	t.Helper()
	c := newClient(t, endpoint)
	defer c.Close()
	got, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	if len(got.Kvs) != 1 || string(got.Kvs[0].Value) != want {
		t.Errorf("got %v for key %s, want one value %q", got.Kvs, key, want)
	}
}

func TestRestartKeepsData(t *testing.T) {
	dir := t.TempDir()
	first := startServer(t, dir)
	put(t, first.Endpoint(), "bookstore", "open")
	stopServer(t, first)

	second := startServer(t, dir)
	defer stopServer(t, second)
	wantValue(t, second.Endpoint(), "bookstore", "open")
}

func TestKilledServerLosesNothingAndItsLock(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ETCD_TEST_SERVE="+dir)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	endpoint, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("read the endpoint of the server: %v", err)
	}
	put(t, strings.TrimSpace(endpoint), "bookstore", "open")

	if _, err := Start(t.Context(), Config{Dir: dir}); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprintf("in use by process %d on ", cmd.Process.Pid)) {
		t.Errorf("second server on the same directory: got error %v, want one that names process %d", err, cmd.Process.Pid)
	}
	wantValue(t, strings.TrimSpace(endpoint), "bookstore", "open") // the refused server left the socket alone

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	s := startServer(t, dir)
	defer stopServer(t, s)
	wantValue(t, s.Endpoint(), "bookstore", "open")
}

func TestRefusalIsOneLineWithHolderAndStartTime(t *testing.T) {
	dir := t.TempDir()
	before := time.Now().Add(-time.Second)
	l, err := acquireLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	_, err = acquireLock(dir)
	if err == nil {
		t.Fatal("got the lock twice")
	}
	m := regexp.MustCompile(`in use by process (\d+) on \S+, started (\S+); .*$`).FindStringSubmatch(err.Error())
	if m == nil {
		t.Fatalf("error %q does not say in one line who holds the lock since when", err)
	}
	if m[1] != strconv.Itoa(os.Getpid()) {
		t.Errorf("error names process %s, want %d", m[1], os.Getpid())
	}
	if started, err := time.Parse(time.RFC3339, m[2]); err != nil || started.Before(before) {
		t.Errorf("error says the holder started %s (%v), want now", m[2], err)
	}
}

func TestOnlyThisUserReachesTheSocket(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o777); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, dir)
	defer stopServer(t, s)

	endpoint, err := url.Parse(s.Endpoint())
	if err != nil || endpoint.Scheme != "unix" {
		t.Fatalf("got endpoint %q (%v), want a unix socket", s.Endpoint(), err)
	}
	info, err := os.Stat(filepath.Dir(endpoint.Path))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("socket directory has mode %o, want 700", got)
	}
}

func TestPeerPortIsOnLoopbackAndDemandsACertificate(t *testing.T) {
	s := startServer(t, t.TempDir())
	defer stopServer(t, s)
	peer := s.etcd.Peers[0].Addr().(*net.TCPAddr)
	if !peer.IP.IsLoopback() {
		t.Errorf("peer port listens on %s, want loopback", peer)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get("https://" + peer.String() + "/members")
	if err == nil {
		resp.Body.Close()
		t.Errorf("got %s without a certificate, want a refused handshake", resp.Status)
	}
}

func TestEveryWriteIsSynced(t *testing.T) {
	if c := embedConfig(Config{Dir: t.TempDir()}, "/socket", transport.TLSInfo{}); c.UnsafeNoFsync {
		t.Error("etcd does not fsync")
	} else if c.QuotaBackendBytes != DefaultQuotaBytes {
		t.Errorf("got quota %d, want %d", c.QuotaBackendBytes, DefaultQuotaBytes)
	}
}

func TestLongDataDirectoryIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	_, err := Start(t.Context(), Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "choose a shorter --data-dir") {
		t.Errorf("got %v, want an error that asks for a shorter --data-dir", err)
	}
}
