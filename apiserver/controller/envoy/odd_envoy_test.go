//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// oddRequests are what a caller sends that some proxy on the way, or the
// application, does not take.
var oddRequests = map[string]string{
	"empty Host":                          "GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"Host with a user":                    "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n",
	"Host with a space":                   "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"Host with octets above ASCII":        "GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n",
	"Host percent-encoded":                "GET / HTTP/1.1\r\nHost: secret%2eexample%2Ecom\r\n\r\n",
	"no Host":                             "GET / HTTP/1.1\r\n\r\n",
	"two Hosts":                           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"absolute form with a user":           "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
	"absolute form, another scheme":       "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
	"path with octets above ASCII":        "GET /caf\xe9 HTTP/1.1\r\nHost: shop\r\n\r\n",
	"path with a control character":       "GET /a\x01b HTTP/1.1\r\nHost: shop\r\n\r\n",
	"path with a fragment":                "GET /a#b HTTP/1.1\r\nHost: shop\r\n\r\n",
	"path without a slash":                "GET a HTTP/1.1\r\nHost: shop\r\n\r\n",
	"header name with a space":            "GET / HTTP/1.1\r\nHost: shop\r\nx y: 1\r\n\r\n",
	"header name with a colon first":      "GET / HTTP/1.1\r\nHost: shop\r\n:path: /admin\r\n\r\n",
	"header value with a control":         "GET / HTTP/1.1\r\nHost: shop\r\nx: a\x01b\r\n\r\n",
	"header value with octets":            "GET / HTTP/1.1\r\nHost: shop\r\nx: caf\xe9\r\n\r\n",
	"more headers than are taken":         "GET / HTTP/1.1\r\nHost: shop\r\n" + strings.Repeat("x: 1\r\n", 200) + "\r\n",
	"as many headers as the first takes":  "GET / HTTP/1.1\r\nHost: shop\r\n" + strings.Repeat("x: 1\r\n", 99) + "\r\n",
	"headers larger than are taken":       "GET / HTTP/1.1\r\nHost: shop\r\nx: " + strings.Repeat("a", 70<<10) + "\r\n\r\n",
	"headers as large as the first takes": "GET / HTTP/1.1\r\nHost: shop\r\nx: " + strings.Repeat("a", 60<<10-40) + "\r\n\r\n",
	"TE: gzip":                            "GET / HTTP/1.1\r\nHost: shop\r\nTE: gzip\r\n\r\n",
	"headers of a connection":             "GET / HTTP/1.1\r\nHost: shop\r\nProxy-Connection: close\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"trailer Connection: close":           "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n",
	"trailer with a pseudo-header":        "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n:status: 200\r\n\r\n",
	"chunk that is none":                  "POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
	"two lengths":                         "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\nabc",
	"a length and chunks":                 "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"an end before its length":            "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nabc",
	"upgrade to what is not known":        "GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n",
	"upgrade to HTTP/2":                   "GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
	"method that is none":                 "G(T / HTTP/1.1\r\nHost: shop\r\n\r\n",
	"method of its own":                   "PURGE / HTTP/1.1\r\nHost: shop\r\n\r\n",
	"CONNECT":                             "CONNECT shop:80 HTTP/1.1\r\nHost: shop\r\n\r\n",
	"OPTIONS *":                           "OPTIONS * HTTP/1.1\r\nHost: shop\r\n\r\n",
	"an older version":                    "GET / HTTP/1.0\r\n\r\n",
	"another version":                     "GET / HTTP/3.0\r\nHost: shop\r\n\r\n",
}

// oddAnswers are what an application answers that some proxy on the way does not
// take. After each it closes the connection.
var oddAnswers = map[string]string{
	"nothing":                        "",
	"half a status line":             "HTTP/1.1 20",
	"another protocol":               "SSH-2.0-OpenSSH_9.9\r\n",
	"TE: gzip":                       "HTTP/1.1 200 OK\r\nTE: gzip\r\nContent-Length: 0\r\n\r\n",
	"headers of a connection":        "HTTP/1.1 200 OK\r\nConnection: x, close\r\nX: 1\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
	"trailer Connection: close":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nConnection: close\r\n\r\n",
	"trailer with a pseudo-header":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n:status: 200\r\n\r\n",
	"trailer Content-Length":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n",
	"unsolicited 101":                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
	"101 without a protocol":         "HTTP/1.1 101 Switching Protocols\r\n\r\n",
	"100 and then nothing":           "HTTP/1.1 100 Continue\r\n\r\n",
	"many 1xx":                       strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 50) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"many 100":                       strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"status 099":                     "HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n",
	"status 999":                     "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
	"204 with a body":                "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
	"header name with a space":       "HTTP/1.1 200 OK\r\nx y: 1\r\nContent-Length: 0\r\n\r\n",
	"header name with a colon first": "HTTP/1.1 200 OK\r\n:status: 500\r\nContent-Length: 0\r\n\r\n",
	"header name with octets":        "HTTP/1.1 200 OK\r\ncaf\xe9: 1\r\nContent-Length: 0\r\n\r\n",
	"header value with a control":    "HTTP/1.1 200 OK\r\nx: a\x01b\r\nContent-Length: 0\r\n\r\n",
	"header value with a null":       "HTTP/1.1 200 OK\r\nx: a\x00b\r\nContent-Length: 0\r\n\r\n",
	"header value with octets":       "HTTP/1.1 200 OK\r\nx: caf\xe9\r\nContent-Length: 0\r\n\r\n",
	"reason with octets":             "HTTP/1.1 200 Tr\xe8s bien\r\nContent-Length: 0\r\n\r\n",
	"many headers":                   "HTTP/1.1 200 OK\r\n" + strings.Repeat("x: 1\r\n", 300) + "Content-Length: 0\r\n\r\n",
	"as many headers as are taken":   "HTTP/1.1 200 OK\r\n" + strings.Repeat("x: 1\r\n", 99) + "Content-Length: 0\r\n\r\n",
	"large headers":                  "HTTP/1.1 200 OK\r\nx: " + strings.Repeat("a", 90<<10) + "\r\nContent-Length: 0\r\n\r\n",
	"headers as large as are taken":  "HTTP/1.1 200 OK\r\nx: " + strings.Repeat("a", 59<<10) + "\r\nContent-Length: 0\r\n\r\n",
	"two lengths":                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 3\r\n\r\nabc",
	"a length and chunks":            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunk that is none":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
	"an end before its length":       "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
	"an end before the last chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	"more than its length":           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n",
	"an encoding that is not known":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
}

// TestEnvoyLetsOneOddRequestBreakNoOther: between proxies many requests share a
// connection, in either direction. Twelve are in flight, one odd one comes, and
// all twelve get their answers.
func TestEnvoyLetsOneOddRequestBreakNoOther(t *testing.T) {
	t.Parallel()
	app := startOddApplication(t)
	p := startPair(t, portOf(app.listener), pairOptions{protocol: model.ProtocolHTTP1})
	for name, request := range oddRequests {
		t.Run("request with "+name, func(t *testing.T) { app.beside(t, p, request) })
	}
	for name := range oddAnswers {
		t.Run("answer with "+name, func(t *testing.T) {
			app.beside(t, p, "GET /odd HTTP/1.1\r\nHost: shop\r\nX-Odd: "+name+"\r\n\r\n")
		})
	}
}

// oddApplication answers /good when it is told to, /odd with what X-Odd names,
// and all else with 200.
type oddApplication struct {
	listener net.Listener
	mu       sync.Mutex
	release  chan struct{}
	waiting  atomic.Int64
}

func startOddApplication(t *testing.T) *oddApplication {
	t.Helper()
	a := &oddApplication{listener: listen(t)}
	go func() {
		for {
			conn, err := a.listener.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	}()
	return a
}

func (a *oddApplication) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		switch r.URL.Path {
		case "/good":
			a.mu.Lock()
			release := a.release
			a.mu.Unlock()
			a.waiting.Add(1)
			<-release
		case "/odd":
			_, _ = io.WriteString(conn, oddAnswers[r.Header.Get("X-Odd")])
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// beside sends a request while twelve others are in flight, and demands that
// those are answered. Its own fate is logged.
func (a *oddApplication) beside(t *testing.T, p pair, request string) {
	t.Helper()
	const others = 12
	// A proxy would send a GET again, and hide that it was broken.
	const good = "POST /good HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
	release := make(chan struct{})
	a.mu.Lock()
	a.release = release
	a.mu.Unlock()
	a.waiting.Store(0)
	answers := make(chan string, others)
	for range others {
		go func() {
			answers <- exchange(p.caller, good, time.Minute)
		}()
	}
	eventually(t, "all are in flight", func() bool { return a.waiting.Load() >= others })
	// What some proxy waits for does not come.
	t.Logf("it gets %.60q", exchange(p.caller, request, 2*time.Second))
	close(release)
	failed := 0
	for range others {
		if answer := <-answers; !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			failed++
			t.Log(answer)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d others failed", failed, others)
	}
}

// exchange writes a request as it is, and gives what comes until the connection
// ends, a response is complete, or the time is over.
func exchange(address, request string, patience time.Duration) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return fmt.Sprint("no connection: ", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		return fmt.Sprint("not written: ", err)
	}
	var seen strings.Builder
	in := io.TeeReader(conn, &seen)
	answer, err := http.ReadResponse(bufio.NewReader(in), nil)
	if err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	return seen.String()
}
