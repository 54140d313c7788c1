// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package etcd runs etcd inside this process: one member, whose only client is
// the API server beside it.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/klog/v2"
)

// DefaultQuotaBytes bounds the database file. etcd refuses writes beyond it and
// advises at most 8 GiB; a mesh object is a few KiB.
const DefaultQuotaBytes int64 = 2 << 30

// historyRetention is how long old revisions stay. The API server compacts
// every five minutes by itself; this bounds the history when it does not.
const historyRetention = "1h"

// peerAddress is what etcd listens on for members that there are not.
const peerAddress = "127.0.0.1:0"

// maxSocketPath is the length of sun_path in unix(7) without its final NUL.
const maxSocketPath = 107

// Config says where the data is and how much of it there may be.
type Config struct {
	// Dir is the data directory. It is made if it is absent.
	Dir string
	// QuotaBytes is the largest size of the database file; 0 means DefaultQuotaBytes.
	QuotaBytes int64
}

// Server is a running etcd member that holds the lock of its data directory.
type Server struct {
	etcd     *embed.Etcd
	lock     *fileutil.LockedFile
	dir      string
	socket   string
	stopping *atomic.Bool
}

// Start locks the data directory, starts etcd in it and waits until it serves.
// If another process has the directory, the error names it.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := acquireLock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s, err := startLocked(ctx, cfg, lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start etcd in %s: %w", cfg.Dir, err), releaseLock(lock))
	}
	klog.FromContext(ctx).Info("Embedded etcd is ready", "dir", cfg.Dir, "endpoint", s.Endpoint())
	return s, nil
}

func startLocked(ctx context.Context, cfg Config, lock *fileutil.LockedFile) (*Server, error) {
	socket, err := socketPath(cfg.Dir)
	if err != nil {
		return nil, err
	}
	run := filepath.Dir(socket)
	if err := makePrivate(run); err != nil {
		return nil, err
	}
	peer, err := newPeerTLS(run)
	if err != nil {
		return nil, err
	}
	config := embedConfig(cfg, socket, peer)
	stopping := &atomic.Bool{}
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(newLogger(klog.FromContext(ctx), stopping))
	e, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	s := &Server{etcd: e, lock: lock, dir: cfg.Dir, socket: socket, stopping: stopping}
	select {
	case <-e.Server.ReadyNotify():
		return s, nil
	case err = <-e.Err():
	case <-e.Server.StopNotify():
		err = errors.New("it stopped by itself")
	case <-ctx.Done():
		err = ctx.Err()
	}
	e.Close()
	return nil, fmt.Errorf("wait until ready: %w", err)
}

func socketPath(dir string) (string, error) {
	socket, err := filepath.Abs(filepath.Join(dir, "run", "etcd.sock"))
	if err != nil {
		return "", err
	}
	if len(socket) > maxSocketPath {
		return "", fmt.Errorf("socket path %s is longer than %d bytes; choose a shorter --data-dir", socket, maxSocketPath)
	}
	return socket, nil
}

// makePrivate makes a directory for this user alone: whoever can open the
// socket in it can read and write everything. A volume's fsGroup may have
// opened it to others.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make run directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("close run directory to others: %w", err)
	}
	return nil
}

func embedConfig(cfg Config, socket string, peer transport.TLSInfo) *embed.Config {
	client := url.URL{Scheme: "unix", Path: socket}
	// Nobody ever connects to a single member's peer port, but etcd wants one. A
	// unix peer URL would open an abstract socket that anyone may use, so it is a
	// port of the loopback interface that demands a certificate.
	loopback := url.URL{Scheme: "https", Host: peerAddress}

	c := embed.NewConfig()
	c.Name = "mesh-apiserver"
	c.Dir = filepath.Join(cfg.Dir, "etcd")
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{loopback}, []url.URL{loopback}
	c.PeerTLSInfo = peer
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.EnableGRPCGateway = false
	c.QuotaBackendBytes = cfg.QuotaBytes
	if c.QuotaBackendBytes == 0 {
		c.QuotaBackendBytes = DefaultQuotaBytes
	}
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = historyRetention
	return c
}

// Endpoint is the URL of the client socket of the etcd that runs in dir, for
// --etcd-servers.
func Endpoint(dir string) (string, error) {
	socket, err := socketPath(dir)
	if err != nil {
		return "", err
	}
	return endpoint(socket), nil
}

func endpoint(socket string) string {
	return (&url.URL{Scheme: "unix", Path: socket}).String()
}

// Endpoint is the URL of the client socket.
func (s *Server) Endpoint() string {
	return endpoint(s.socket)
}

// Failed gives the error that ended etcd, if one did. It is closed after Stop.
func (s *Server) Failed() <-chan error {
	return s.etcd.Err()
}

// Stop ends etcd, then lets go of the data directory. It waits a few seconds
// for requests that are under way, and gives up when the context ends: what was
// written is on disk all the same.
func (s *Server) Stop(ctx context.Context) error {
	start := time.Now()
	s.stopping.Store(true)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.etcd.Close()
	}()
	select {
	case <-closed:
	case <-ctx.Done():
		return fmt.Errorf("stop etcd: %w", ctx.Err())
	}
	if err := releaseLock(s.lock); err != nil {
		return fmt.Errorf("unlock data directory: %w", err)
	}
	klog.FromContext(ctx).Info("Embedded etcd has stopped", "took", time.Since(start))
	return nil
}
