// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// newAdmitCommand is an admission webhook that admits everything, with a
// warning by which the caller sees that it was asked.
func newAdmitCommand() *cobra.Command {
	var listen, bundle string
	cmd := &cobra.Command{
		Use:   "admit",
		Short: "Serve an admission webhook over HTTPS that admits everything with a warning",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			pair, err := tls.X509KeyPair([]byte(bundle), []byte(bundle))
			if err != nil {
				return fmt.Errorf("read the certificate: %w", err)
			}
			server := &http.Server{
				Addr:              listen,
				Handler:           http.HandlerFunc(admit),
				ReadHeaderTimeout: 5 * time.Second,
				TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13},
			}
			return server.ListenAndServeTLS("", "")
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":9443", "address to serve on")
	cmd.Flags().StringVar(&bundle, "bundle", "", "certificate chain and key, in PEM")
	return cmd
}

// admit answers an AdmissionReview (admission.k8s.io/v1).
func admit(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Request struct {
			UID string `json:"uid"`
		} `json:"request"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "admission.k8s.io/v1",
		"kind":       "AdmissionReview",
		"response":   map[string]any{"uid": review.Request.UID, "allowed": true, "warnings": []string{"the bookstore was asked"}},
	})
}
