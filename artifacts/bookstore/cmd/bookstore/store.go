// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// book is one title and how many of it the warehouse holds.
type book struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Stock int    `json:"stock"`
}

// newStoreCommand is the shop: GET /books lists the catalogue, GET /books/{id}
// asks the warehouse how many are left, GET /admin is what no visitor should see.
func newStoreCommand() *cobra.Command {
	var listen, version, warehouse string
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Serve the catalogue over HTTP",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := &http.Client{Timeout: 5 * time.Second}
			mux := http.NewServeMux()
			mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
			mux.HandleFunc("GET /books", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, version, catalogue)
			})
			mux.HandleFunc("GET /books/{id}", func(w http.ResponseWriter, r *http.Request) {
				found, err := lookUp(r.Context(), client, warehouse, r.PathValue("id"))
				if err != nil {
					http.Error(w, err.Error(), http.StatusBadGateway)
					return
				}
				writeJSON(w, version, found)
			})
			mux.HandleFunc("/admin", func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, version, "the till")
			})
			return serveHTTP(cmd.Context(), listen, mux)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":14001", "address to serve on")
	cmd.Flags().StringVar(&version, "version", "v1", "sent back in the Bookstore-Version header")
	cmd.Flags().StringVar(&warehouse, "warehouse", "http://bookwarehouse.bookwarehouse:14001", "where the stock is asked for")
	return cmd
}

// newWarehouseCommand answers GET /stock/{id}.
func newWarehouseCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "warehouse",
		Short: "Serve the stock over HTTP",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
			mux.HandleFunc("GET /stock/{id}", func(w http.ResponseWriter, r *http.Request) {
				for _, b := range catalogue {
					if b.ID == r.PathValue("id") {
						writeJSON(w, "", b)
						return
					}
				}
				http.NotFound(w, r)
			})
			return serveHTTP(cmd.Context(), listen, mux)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":14001", "address to serve on")
	return cmd
}

var catalogue = []book{
	{ID: "1", Title: "The Go Programming Language", Stock: 12},
	{ID: "2", Title: "A Tour of Envoy", Stock: 3},
	{ID: "3", Title: "Trust, and How to Rotate It", Stock: 7},
}

// lookUp asks the warehouse for one book.
func lookUp(ctx context.Context, client *http.Client, warehouse, id string) (book, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, warehouse+"/stock/"+id, nil)
	if err != nil {
		return book{}, fmt.Errorf("ask the warehouse: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return book{}, fmt.Errorf("ask the warehouse: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return book{}, fmt.Errorf("ask the warehouse: it answered %s", resp.Status)
	}
	var b book
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&b); err != nil {
		return book{}, fmt.Errorf("read the warehouse's answer: %w", err)
	}
	return b, nil
}

func writeJSON(w http.ResponseWriter, version string, v any) {
	w.Header().Set("Content-Type", "application/json")
	if version != "" {
		w.Header().Set("Bookstore-Version", version)
	}
	_ = json.NewEncoder(w).Encode(v)
}

// serveHTTP serves until the context ends, then lets requests finish.
func serveHTTP(ctx context.Context, listen string, handler http.Handler) error {
	server := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", listen, err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}
