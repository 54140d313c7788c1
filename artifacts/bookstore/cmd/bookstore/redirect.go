// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/util/cert"
)

// newRedirectCommand answers as a request asks: by a redirect with Location to, in
// which {ip} is the address that was called; by times redirects to itself; or by a
// status. It prints a JSON line for each request.
func newRedirectCommand() *cobra.Command {
	var listen, listenTLS string
	cmd := &cobra.Command{
		Use:   "redirect",
		Short: "Serve HTTP and HTTPS, answering with the redirect (?to=, ?times=) or the status (?status=) that a request asks for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			certificate, err := selfSigned()
			if err != nil {
				return err
			}
			secure, err := tls.Listen("tcp", listenTLS, &tls.Config{Certificates: []tls.Certificate{certificate}})
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			server := &http.Server{Handler: http.HandlerFunc(redirect), ReadHeaderTimeout: 10 * time.Second}
			defer server.Close()
			ended := make(chan error, 2)
			go func() { ended <- server.Serve(secure) }()
			go func() { ended <- serveHTTP(cmd.Context(), listen, server.Handler) }()
			return <-ended
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":8080", "address to serve HTTP on")
	cmd.Flags().StringVar(&listenTLS, "tls", ":8443", "address to serve HTTPS on, with a certificate of its own")
	return cmd
}

func redirect(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	_ = json.NewEncoder(os.Stdout).Encode(struct {
		seen
		Body string `json:"body,omitempty"`
	}{seen{Method: r.Method, Path: r.RequestURI, Host: r.Host, Remote: r.RemoteAddr, Headers: r.Header}, string(body)})
	query := r.URL.Query()
	if times, _ := strconv.Atoi(query.Get("times")); times > 0 {
		http.Redirect(w, r, fmt.Sprintf("?times=%d", times-1), http.StatusFound)
		return
	}
	if to := query.Get("to"); to != "" {
		address, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		ip, _, _ := net.SplitHostPort(address.String())
		w.Header().Set("Location", strings.ReplaceAll(to, "{ip}", ip))
		w.WriteHeader(http.StatusFound)
		return
	}
	if status, _ := strconv.Atoi(query.Get("status")); status > 0 {
		w.WriteHeader(status)
	}
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make key: %w", err)
	}
	certificate, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "bookstore"}, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}, nil
}

// after waits, as an application does that takes long to start.
func after(ctx context.Context, delay time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(delay):
	}
}
