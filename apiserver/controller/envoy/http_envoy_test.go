//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

const nothing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// TestEnvoyIgnoresAnUpgradeAsServersDo: the application gets the request without the
// offer, whatever is offered but a WebSocket.
func TestEnvoyIgnoresAnUpgradeAsServersDo(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	p := startPair(t, app.port, pairOptions{})
	for _, address := range []string{p.caller, p.outside} {
		for _, offer := range []string{
			"TLS/1.2", "TLS/1.2, TLS/1.3", "TLS/1.0,HTTP/1.1", "h2c", "HTTP/2.0", "tcp", "SPDY/3.1", "foo/1, bar", "xwebsocket", "IRC/6.9",
		} {
			for _, method := range []string{"GET", "POST"} {
				answer := exchange(address, method+" /a HTTP/1.1\r\nHost: shop\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "+offer+"\r\nContent-Length: 0\r\n\r\n", time.Minute)
				heads := app.take()
				if statusOf(answer) != "200" || len(heads) != 1 {
					t.Errorf("%s with Upgrade: %s is answered %.40q", method, offer, answer)
					continue
				}
				if got, found := headerOf(heads[0], "upgrade"); found {
					t.Errorf("%s with Upgrade: %s: the application is offered %s", method, offer, got)
				}
			}
		}
	}
}

// TestEnvoyCarriesAWebSocket, alone or offered beside others, in any case, and the
// refusal of one.
func TestEnvoyCarriesAWebSocket(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	p := startPair(t, app.port, pairOptions{})
	for _, address := range []string{p.caller, p.outside} {
		for _, offer := range []string{"websocket", "WebSocket", "foo, websocket"} {
			app.answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: b\r\n\r\n")
			request := "GET /a HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: " + offer + "\r\nSec-WebSocket-Key: a\r\n\r\n"
			if answer := exchange(address, request, time.Minute); statusOf(answer) != "101" {
				t.Errorf("%s is answered %.60q", offer, answer)
			}
			if heads := app.take(); len(heads) != 1 || !strings.Contains(strings.ToLower(heads[0]), "upgrade: websocket") {
				t.Errorf("%s: the application has seen %q", offer, heads)
			}
			app.answers("HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			if answer := exchange(address, request, time.Minute); statusOf(answer) != "426" {
				t.Errorf("%s, refused, is answered %.60q", offer, answer)
			}
			app.take()
		}
	}
}

// TestEnvoyTakesWhatTheDocsPromise: 100 headers of 60 KiB in all, in a request and in a
// response (docs/operations.md, "Limits today"), and tells the sender of more by 431,
// the receiver by 502.
func TestEnvoyTakesWhatTheDocsPromise(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	p := startPair(t, app.port, pairOptions{})
	many := func(n int) string { return strings.Repeat("x: 1\r\n", n) }
	// A name and a value, as they are counted.
	large := func(n int) string { return "x: " + strings.Repeat("a", n-1) + "\r\n" }
	for name, c := range map[string]struct{ request, response, want string }{
		"100 headers of a request":            {request: many(99), want: "200"},
		"97 headers of a request":             {request: many(96), want: "200"},
		"101 headers of a request":            {request: many(100), want: "431"},
		"60 KiB of a request":                 {request: large(60<<10 - len("GET/Hostshop") - 40), want: "200"},
		"more than 60 KiB of a request":       {request: large(60 << 10), want: "431"},
		"100 headers of a response":           {response: many(99), want: "200"},
		"101 headers of a response":           {response: many(100), want: "502"},
		"60 KiB of a response":                {response: large(60<<10 - 80), want: "200"},
		"more than 60 KiB of a response":      {response: large(60 << 10), want: "502"},
		"100 headers of both, in 59 KiB each": {request: many(98) + large(58<<10), response: many(98) + large(58<<10), want: "200"},
	} {
		app.answers("HTTP/1.1 200 OK\r\n" + c.response + "Content-Length: 0\r\n\r\n")
		answer := exchange(p.caller, "GET / HTTP/1.1\r\nHost: shop\r\n"+c.request+"\r\n", time.Minute)
		if statusOf(answer) != c.want {
			t.Errorf("%s: answered %.60q, want %s", name, answer, c.want)
		}
		app.take()
	}
}

// TestEnvoyKeepsWhatHTTP1Says where it travels as HTTP/1.1: names of headers as they
// were written, the reason of a status, and early hints.
func TestEnvoyKeepsWhatHTTP1Says(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	declared := startPair(t, app.port, pairOptions{})
	detected := startPair(t, app.port, pairOptions{protocol: model.ProtocolDetect})
	app.answers("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 Very Well\r\nX-MiXed: 1\r\nContent-Length: 0\r\n\r\n")
	for name, c := range map[string]struct {
		address string
		kept    bool
	}{
		"detected, from a pod of the mesh": {detected.caller, true},
		"declared, from outside":           {declared.outside, true},
		"declared, from a pod of the mesh": {declared.caller, false},
	} {
		answer := exchangeAll(c.address, "GET / HTTP/1.1\r\nHost: shop\r\nX-CaSe: 1\r\nConnection: close\r\n\r\n")
		head := strings.Join(app.take(), "")
		if got := strings.Contains(head, "X-CaSe: 1"); got != c.kept {
			t.Errorf("%s: the case of a request's header is kept: %v, want %v: %q", name, got, c.kept, head)
		}
		if got := strings.Contains(answer, "X-MiXed: 1"); got != c.kept {
			t.Errorf("%s: the case of a response's header is kept: %v, want %v: %q", name, got, c.kept, answer)
		}
		if got := strings.Contains(answer, "200 Very Well"); got != c.kept {
			t.Errorf("%s: the reason is kept: %v, want %v: %q", name, got, c.kept, answer)
		}
		if !strings.Contains(answer, "HTTP/1.1 103 ") || !strings.Contains(strings.ToLower(answer), "link: </a>") {
			t.Errorf("%s: early hints are lost: %q", name, answer)
		}
	}
}

// TestEnvoyLetsTheApplicationSayWhetherItWantsTheBody: no proxy answers
// Expect: 100-continue, or takes it away.
func TestEnvoyLetsTheApplicationSayWhetherItWantsTheBody(t *testing.T) {
	t.Parallel()
	app := listen(t)
	expected := make(chan bool, 1)
	go func() {
		for {
			conn, err := app.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				head, err := readHead(in)
				if err != nil {
					return
				}
				_, expects := headerOf(head, "expect")
				expected <- expects
				if pathIn(head) == "/unwanted" {
					_, _ = io.WriteString(conn, "HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				if skipBody(in, head) == nil {
					// Else the proxy may send the next request on a connection that ends.
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
				}
			}()
		}
	}()
	p := startPair(t, portOf(app), pairOptions{})
	for _, address := range []string{p.caller, p.outside} {
		for path, want := range map[string][]string{"/wanted": {"100", "200"}, "/unwanted": {"417"}} {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", path)
			select {
			case expects := <-expected:
				if !expects {
					t.Errorf("%s: the application is not told that the caller waits", path)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s: no request has reached the application", path)
			}
			in := bufio.NewReader(conn)
			var got []string
			for range want {
				head, err := readHead(in)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, statusOf(head))
				if statusOf(head) == "100" {
					_, _ = io.WriteString(conn, "book")
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("%s: answered %v, want %v", path, got, want)
			}
			conn.Close()
		}
	}
}

// TestEnvoyServesHTTP10WithoutAHost: the application gets a name that no host has.
func TestEnvoyServesHTTP10WithoutAHost(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	p := startPair(t, app.port, pairOptions{})
	for _, address := range []string{p.caller, p.outside} {
		answer := exchange(address, "GET /a HTTP/1.0\r\n\r\n", time.Minute)
		heads := app.take()
		if statusOf(answer) != "200" || len(heads) != 1 {
			t.Fatalf("answered %.40q, and the application has seen %q", answer, heads)
		}
		if got, _ := headerOf(heads[0], "host"); got != noHost {
			t.Errorf("the application is told the host %q", got)
		}
	}
}

// TestEnvoyDiffersFromAServiceWithoutTheMeshAsTheDocsSay is about docs/compatibility.md:
// each request is answered as it says, and does not come to the application.
func TestEnvoyDiffersFromAServiceWithoutTheMeshAsTheDocsSay(t *testing.T) {
	t.Parallel()
	app := startRecorder(t)
	p := startPair(t, app.port, pairOptions{})
	for name, c := range map[string]struct{ request, want string }{
		"CONNECT":                {"CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\nConnection: close\r\n\r\n", "404"},
		"OPTIONS *":              {"OPTIONS * HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", "404"},
		"a method of its own":    {"BREW / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", "400"},
		"a method in small case": {"get / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", "400"},
		"a fragment":             {"GET /a#b HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", "400"},
		"octets above ASCII":     {"GET /caf\xe9 HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", "400"},
		"no host in HTTP/1.1":    {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "400"},
		"an empty Host":          {"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", "502"},
		"a coding but chunked":   {"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n\r\n", "501"},
	} {
		answer := exchange(p.caller, c.request, time.Minute)
		if heads := app.take(); statusOf(answer) != c.want || len(heads) > 0 {
			t.Errorf("%s: answered %.60q, want %s, and the application has seen %q", name, answer, c.want, heads)
		}
	}
	for name, c := range map[string]struct{ request, line string }{
		"absolute form":             {"GET http://other/x HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", "GET /x HTTP/1.1"},
		"absolute form with a user": {"GET http://u@other/x HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", "GET /x HTTP/1.1"},
	} {
		exchange(p.caller, c.request, time.Minute)
		heads := app.take()
		if len(heads) != 1 || !strings.HasPrefix(heads[0], c.line) {
			t.Errorf("%s: the application has seen %q", name, heads)
			continue
		}
		if got, _ := headerOf(heads[0], "host"); got != "other" {
			t.Errorf("%s: the application is told the host %q", name, got)
		}
	}
	for _, known := range []string{"PROPFIND", "MKCOL", "REPORT", "PURGE", "TRACE", "LINK"} {
		answer := exchange(p.caller, known+" / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n", time.Minute)
		if heads := app.take(); statusOf(answer) != "200" || len(heads) != 1 {
			t.Errorf("%s: answered %.40q", known, answer)
		}
	}
}

// exchangeAll gives everything that comes until the connection ends.
func exchangeAll(address, request string) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return fmt.Sprint("no connection: ", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, request); err != nil {
		return fmt.Sprint("not written: ", err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		return fmt.Sprint(string(all), " and then ", err)
	}
	return string(all)
}
