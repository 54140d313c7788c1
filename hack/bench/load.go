// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// LoadConfig tells how to load; it comes as JSON on standard input.
type LoadConfig struct {
	URL string
	// Rate is requests a second, sent when they are due, on one connection that
	// is kept. Requests is how many are counted, after Warm others.
	Rate, Warm, Requests int
}

// runLoad prints the latency of each request in milliseconds, as JSON.
func runLoad(ctx context.Context) error {
	var config LoadConfig
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	took, err := sendLoad(ctx, config)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(took)
}

// sendLoad gives the latency of each request in milliseconds. The clock of a request
// starts when it is due, so that one that waits for another counts its wait.
func sendLoad(ctx context.Context, config LoadConfig) ([]float64, error) {
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	var took []float64
	begin := time.Now()
	for i := range config.Warm + config.Requests {
		due := begin.Add(time.Duration(i) * time.Second / time.Duration(config.Rate))
		time.Sleep(time.Until(due))
		// Sleeping is late by a little, which is not the proxies' doing.
		start := time.Now()
		if late := start.Sub(due); late > time.Second/time.Duration(config.Rate) {
			start = due
		}
		if err := getOnce(ctx, client, config.URL); err != nil {
			return nil, err
		}
		if i >= config.Warm {
			took = append(took, milliseconds(time.Since(start)))
		}
	}
	return took, nil
}

func getOnce(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

// runApp answers every request with a short text.
func runApp(ctx context.Context) error {
	server := &http.Server{Addr: ":8080", ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "a book\n")
	})}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	return server.ListenAndServe()
}
