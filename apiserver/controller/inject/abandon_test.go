// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestCallersThatGiveUpHarmNothing resets streams of HTTP/2 while their reviews are read:
// what interrupts a read must not outlive its request, else net/http panics outside of a
// handler, and the server ends.
func TestCallersThatGiveUpHarmNothing(t *testing.T) {
	server := httptest.NewUnstartedServer(newHandler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for range 2000 {
		ctx, giveUp := context.WithCancel(t.Context())
		body, writer := io.Pipe()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		go func() {
			_, _ = io.WriteString(writer, "{")
			giveUp()
		}()
		if response, err := server.Client().Do(r); err == nil {
			response.Body.Close()
		}
		writer.Close()
	}
}
