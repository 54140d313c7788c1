//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestEnvoyLosesNoRequestToAServerThatEndsIdleConnections: it ends them after
// 101 ms, and each caller sends a request every 100 ms.
func TestEnvoyLosesNoRequestToAServerThatEndsIdleConnections(t *testing.T) {
	t.Parallel()
	app := listen(t)
	server := &http.Server{IdleTimeout: 101 * time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}
	go server.Serve(app)
	t.Cleanup(func() { server.Close() })
	p := startPair(t, portOf(app), pairOptions{})

	const callers, calls = 10, 40
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		var failed atomic.Int64
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range calls {
					request, err := http.NewRequest(method, "http://"+p.caller+"/", strings.NewReader("book"))
					if err != nil {
						failed.Add(1)
						return
					}
					answer, err := http.DefaultClient.Do(request)
					if err != nil {
						failed.Add(1)
						return
					}
					_, _ = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					if answer.StatusCode != http.StatusOK {
						failed.Add(1)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if n := failed.Load(); n > 0 {
			t.Errorf("%s: %d of %d requests failed", method, n, callers*calls)
		}
	}
	t.Logf("%s were sent again", p.in.stat(t, "cluster."+ClusterInboundHTTP1+".upstream_rq_retry"))
}

// TestEnvoySendsNoRequestTwiceThatAnApplicationHasSeen unless its method says that it
// may be served twice: the application reads each and ends the connection.
func TestEnvoySendsNoRequestTwiceThatAnApplicationHasSeen(t *testing.T) {
	t.Parallel()
	app := listen(t)
	var seen atomic.Int64
	go func() {
		for {
			conn, err := app.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				if head, err := readHead(in); err == nil && skipBody(in, head) == nil {
					seen.Add(1)
				}
			}()
		}
	}()
	p := startPair(t, portOf(app), pairOptions{})
	for request, want := range map[string]int64{
		"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbook":                                                  1,
		"PATCH / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbook":                                                 1,
		"POST /shop.Books/Sell HTTP/1.1\r\nHost: shop\r\nContent-Type: application/grpc\r\nContent-Length: 4\r\n\r\nbook": 1,
		"GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n":                               1,
		"GET / HTTP/1.1\r\nHost: shop\r\n\r\n":                                                                            3,
		"HEAD / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n":                                                      3,
		"OPTIONS / HTTP/1.1\r\nHost: shop\r\n\r\n":                                                                        3,
		"DELETE / HTTP/1.1\r\nHost: shop\r\n\r\n":                                                                         3,
		"PUT / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nbook":                                                   3,
	} {
		seen.Store(0)
		answer := exchange(p.caller, request, time.Minute)
		if n := seen.Load(); n != want {
			t.Errorf("%.25q: the application has seen it %d times, want %d; answered %.40q", request, n, want, answer)
		}
	}
}

// TestEnvoyPassesOnAnUploadThatIsTooLargeToKeep: a body is kept for a retry only up
// to the buffer's limit.
func TestEnvoyPassesOnAnUploadThatIsTooLargeToKeep(t *testing.T) {
	t.Parallel()
	app := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, n, err)
	})}
	go server.Serve(app)
	t.Cleanup(func() { server.Close() })
	p := startPair(t, portOf(app), pairOptions{})
	for _, size := range []int{bufferLimit - 1, bufferLimit + 1, 16 << 20} {
		request, err := http.NewRequest(http.MethodPut, "http://"+p.caller+"/", bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if want := fmt.Sprintln(size, nil); string(got) != want {
			t.Errorf("of %d octets: %s, %q", size, answer.Status, got)
		}
	}
}
