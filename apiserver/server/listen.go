// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// readTimeout ends requests that do not come to their end, and connections
	// that say nothing. Requests are small, and a webhook's caller waits 5 s.
	readTimeout = 5 * time.Second
	// writeTimeout ends requests whose answer is not taken.
	writeTimeout = 30 * time.Second
	// idleTimeout ends connections between requests: the API server and
	// Prometheus keep theirs.
	idleTimeout = 2 * time.Minute
	// drainTimeout is how long requests under way may take at the end; a webhook
	// call takes 10 s at most.
	drainTimeout = 10 * time.Second
)

// listen opens a port on the address that the API listens on.
func (s *Server) listen(flag string, port int) (net.Listener, error) {
	address := net.JoinHostPort(s.options.Recommended.SecureServing.BindAddress.String(), strconv.Itoa(port))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", flag, err)
	}
	return listener, nil
}

// serveHTTP serves until ctx ends, then lets requests under way finish. It
// speaks TLS if the server has a TLS configuration.
func serveHTTP(ctx context.Context, server *http.Server, listener net.Listener) error {
	server.ReadTimeout, server.WriteTimeout, server.IdleTimeout = readTimeout, writeTimeout, idleTimeout
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		// An error means that requests took longer than they were given.
		_ = server.Shutdown(drain)
	})
	var err error
	if server.TLSConfig != nil {
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if stop() {
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	}
	<-stopped
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
