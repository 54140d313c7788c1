// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each of many sources has sent half of the largest reviews that it may, and stops:
// twice the memory of all. Whoever sends at once is answered at once.
func TestLargeReviewsAreAnsweredWhileManySourcesSendTheirsSlowly(t *testing.T) {
	handler := newHandler()
	handler.patience = 5 * time.Minute // nothing of this is to be waited for
	half := strings.Repeat(" ", maxReview/2)
	var slow sync.WaitGroup
	var writers []*io.PipeWriter
	for source := range 2 * maxMemory / maxReview {
		for range largeOfSource {
			r, w := io.Pipe()
			writers = append(writers, w)
			slow.Go(func() { post(handler, fmt.Sprintf("198.18.0.%d", source), r) })
			if _, err := io.WriteString(w, half); err != nil {
				t.Fatal(err)
			}
		}
	}
	handler.memory.mu.Lock()
	if used := handler.memory.used; used > maxMemory {
		t.Errorf("%d bytes are held, want %d at most", used, maxMemory)
	}
	handler.memory.mu.Unlock()
	pod := readPod(t, "testdata/plain.in.yaml")
	pod.Annotations = map[string]string{"example.com/large": strings.Repeat("x", 1<<20)}
	body := review(t, request(t, pod))
	for range 10 {
		if w := post(handler, "198.18.1.1", strings.NewReader(body)); w.Code != http.StatusOK {
			t.Errorf("answered %d beside %d slow requests, want 200", w.Code, len(writers))
		}
	}
	for _, w := range writers {
		w.Close()
	}
	slow.Wait()
	if handler.memory.used != 0 || len(handler.memory.holders) != 0 {
		t.Errorf("%d bytes of %d reviews are held at the end", handler.memory.used, len(handler.memory.holders))
	}
}

func TestIPv6AddressesOfOneHostShareItsPlaces(t *testing.T) {
	handler := newHandler()
	handler.patience = 10 * time.Millisecond
	body := review(t, request(t, readPod(t, "testdata/plain.in.yaml")))
	var slow sync.WaitGroup
	var writers []*io.PipeWriter
	for host := range placesOfSource {
		r, w := io.Pipe()
		writers = append(writers, w)
		slow.Go(func() { post(handler, fmt.Sprintf("[2001:2:0:1::%x]", host+1), r) })
		if _, err := io.WriteString(w, body[:10]); err != nil {
			t.Fatal(err)
		}
	}
	if w := post(handler, "[2001:2:0:1:ffff::1]", strings.NewReader(body)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("another address of that /64: answered %d, want 503", w.Code)
	}
	if w := post(handler, "[2001:2:0:2::1]", strings.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("another /64: answered %d, want 200", w.Code)
	}
	for _, w := range writers {
		w.Close()
	}
	slow.Wait()
}

// A real connection, of either protocol, on which nothing more comes.
func TestReviewThatIsCrowdedOutIsToldToComeAgain(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			handler := newHandler()
			handler.memory = newBudget(small)
			server := httptest.NewUnstartedServer(handler)
			server.EnableHTTP2 = h2
			server.StartTLS()
			t.Cleanup(server.Close)
			client := server.Client()

			r, w := io.Pipe()
			t.Cleanup(func() { w.Close() })
			answered := make(chan *http.Response, 1)
			go func() {
				response, err := client.Post(server.URL, "application/json", r)
				if err != nil {
					t.Error(err)
					close(answered)
					return
				}
				answered <- response
			}()
			if _, err := io.WriteString(w, strings.Repeat(" ", small/2)); err != nil {
				t.Fatal(err)
			}
			body := review(t, request(t, readPod(t, "testdata/plain.in.yaml"))) + strings.Repeat(" ", small/4)
			// What was written may not have been read yet.
			for crowded := false; !crowded; {
				other, err := client.Post(server.URL, "application/json", strings.NewReader(body+strings.Repeat(" ", small/4)))
				switch {
				case err != nil:
					// Whichever has come first is crowded out, and its connection may end.
					t.Log(err)
				case other.StatusCode != http.StatusOK && other.StatusCode != http.StatusServiceUnavailable:
					t.Fatalf("the younger review was answered %d", other.StatusCode)
				default:
					other.Body.Close()
				}
				select {
				case response := <-answered:
					crowded = true
					if response == nil {
						return
					}
					defer response.Body.Close()
					if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
						t.Errorf("answered %d with Retry-After %q, want 503 with one", response.StatusCode, response.Header.Get("Retry-After"))
					}
				default:
				}
			}
		})
	}
}
