//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy/envoytest"
)

const probeTimeout = 20 * time.Second

// TestEnvoyProbesMeanWhatTheyMeanWithoutTheMesh asks an application as the kubelet
// does, by itself and by the proxy, and holds that the verdict is the same, and that
// the application has seen the same requests.
func TestEnvoyProbesMeanWhatTheyMeanWithoutTheMesh(t *testing.T) {
	t.Parallel()
	app := newProbedApp(t)
	plain, secure := app.plain.Listener.Addr().String(), app.secure.Listener.Addr().String()
	port, securePort := portOf(app.plain.Listener), portOf(app.secure.Listener)
	raw := func(answer string) *netListener { return answerRaw(t, answer) }
	type redirect struct {
		name     string
		location string // of the answer to /start
		status   int
		want     string
	}
	tests := []redirect{
		{"a relative path", "/ok", 302, "success"},
		{"a path without a slash", "ok", 302, "success"},
		{"dots in a path", "/a/b/../../ok", 302, "success"},
		{"a path that goes up too far", "../../ok", 302, "success"},
		{"a query alone", "?case=44", 302, "success"},
		{"a query", "/ok?a=b&c=%20d", 302, "success"},
		{"a fragment", "/ok#part", 302, "success"},
		{"a fragment alone", "#part", 302, "failure"},
		{"a path to be escaped", "/echo/a b/ü/%2f\"<>", 302, "success"},
		{"an escaped path", "/echo/%41%2Fb", 302, "success"},
		{"a path to what fails", "/fails", 302, "failure"},
		{"a path to what is not there", "/nowhere", 302, "failure"},
		{"the address itself", "http://" + plain + "/ok", 302, "success"},
		{"no scheme", "//" + plain + "/ok", 302, "success"},
		{"no scheme, a host alone", "//elsewhere.example", 302, "warning"},
		{"a scheme in capitals", "HTTP://" + plain + "/ok", 302, "success"},
		{"another port", "https://" + secure + "/ok", 302, "success"},
		{"another port, and a path to what fails", "https://" + secure + "/fails", 302, "failure"},
		{"https on the same port", "https://" + plain + "/ok", 302, "failure"},
		{"http where TLS is spoken", "http://" + secure + "/ok", 302, "failure"},
		{"a port where nothing listens", fmt.Sprintf("http://127.0.0.1:%d/ok", envoytest.FreePort(t)), 302, "failure"},
		{"the port 0", "http://127.0.0.1:0/ok", 302, "failure"},
		{"a port that is too large", "http://127.0.0.1:65536/ok", 302, "failure"},
		{"no number for a port", "http://127.0.0.1:http/ok", 302, "failure"},
		{"another host", "http://elsewhere.example/ok", 302, "warning"},
		{"another address", "http://127.0.0.2:" + fmt.Sprint(port) + "/ok", 302, "warning"},
		{"another host by https", "https://elsewhere.example:8443/login", 302, "warning"},
		{"the host in other words", "http://localhost:" + fmt.Sprint(port) + "/ok", 302, "warning"},
		{"no host", "http:///ok", 302, "warning"},
		{"an opaque URL", "mailto:somebody@elsewhere.example", 302, "warning"},
		{"another scheme on the same host", "ftp://" + plain + "/ok", 302, "failure"},
		{"a user", "http://user:pa%20ss@" + plain + "/ok", 302, "success"},
		{"none", "", 302, "warning"},
		{"a broken escape", "/ok%zz", 302, "failure"},
		{"a colon in the first segment", "1a:b/ok", 302, "failure"},
		{"a space in the host", "http://a b/ok", 302, "failure"},
		{"a loop", "/loop", 302, "failure"},
		{"nine redirects", "/count/8", 302, "success"},
		{"ten redirects", "/count/9", 302, "failure"},
		{"nine redirects and a tenth to another host", "/leave/8", 302, "warning"},
		{"a large answer at its end", "/large", 302, "success"},
		{"status 301", "/ok", 301, "success"},
		{"status 303", "/ok", 303, "success"},
		{"status 307", "/ok", 307, "success"},
		{"status 308", "/ok", 308, "success"},
		{"status 308 to what fails", "/fails", 308, "failure"},
		{"status 300, which is not followed", "/fails", 300, "warning"},
		{"status 304, which is not followed", "/fails", 304, "warning"},
		{"status 305, which is not followed", "/fails", 305, "warning"},
		{"status 399, which is not followed", "/fails", 399, "warning"},
		{"status 201", "/fails", 201, "success"},
		{"status 404", "/ok", 404, "failure"},
	}
	answers := []struct {
		name, answer string
		want         string
	}{
		{"200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "success"},
		{"no length", "HTTP/1.1 200 OK\r\n\r\nok", "success"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok", "success"},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "success"},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", "success"},
		{"299", "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n", "success"},
		{"399", "HTTP/1.1 399 Odd\r\nContent-Length: 0\r\n\r\n", "warning"},
		{"400", "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", "failure"},
		{"599", "HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", "failure"},
		{"101 that was not asked for", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "failure"},
		{"103 before 200", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "success"},
		{"100 before 200", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "success"},
		{"chunks and trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-A\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\n\r\n", "success"},
		{"an early close", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok", "failure"},
		{"a close without an answer", "", "failure"},
		{"no HTTP", "SSH-2.0-x\r\n", "failure"},
		{"1,000 headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Many: value\r\n", 1000) + "Content-Length: 0\r\n\r\n", "success"},
		{"a header of 1 MB", "HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("a", 1<<20) + "\r\nContent-Length: 0\r\n\r\n", "success"},
		{"a large answer", "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n" + strings.Repeat("a", 1<<20), "success"},
		{"a redirect without a body's length", "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\n\r\n", "warning"},
		{"two Locations", "HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "warning"},
	}
	var routes []ProbeRoute
	for i := range tests {
		routes = append(routes, ProbeRoute{Path: fmt.Sprintf("/probe/redirect-%d/readiness", i), Port: port, OriginalPath: fmt.Sprintf("/start?case=%d", i), Timeout: probeTimeout})
	}
	var servers []*netListener
	for i, tt := range answers {
		servers = append(servers, raw(tt.answer))
		routes = append(routes, ProbeRoute{Path: fmt.Sprintf("/probe/answer-%d/readiness", i), Port: portOf(servers[i].Listener), OriginalPath: "/", Timeout: probeTimeout})
	}
	headers := []ProbeHeader{{"X-Own", "one"}, {"X-Own", "two"}, {"Host", "shop.example"}, {"Accept", ""}, {"Cookie", "a=b"}, {"Authorization", "Bearer x"}}
	caseOf := func(name string) int {
		return slices.IndexFunc(tests, func(tt redirect) bool { return tt.name == name })
	}
	special := map[string]ProbeRoute{
		"headers of its own": {Port: port, OriginalPath: "/start?case=0", Headers: headers},
		"headers that a proxy writes": {Port: port, OriginalPath: "/start?case=0", Headers: []ProbeHeader{
			{"X-Request-Id", "readiness-probe"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Host", "a"}, {"Via", "1.1 a"},
			{"Accept-Encoding", "gzip"}, {"Content-Type", "text/plain"}, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}, {"X-Percent", "%REQ(a)% 100%"}, {"X-Empty", ""}}},
		"headers of a body that stay":     {Port: port, OriginalPath: fmt.Sprintf("/start?case=%d", caseOf("status 308")), Headers: []ProbeHeader{{"Content-Type", "text/plain"}}},
		"an upgrade":                      {Port: port, OriginalPath: "/ok", Headers: []ProbeHeader{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}}},
		"an expectation":                  {Port: port, OriginalPath: "/ok", Headers: []ProbeHeader{{"Expect", "100-continue"}}},
		"a user agent":                    {Port: port, OriginalPath: "/ok", Headers: []ProbeHeader{{"User-Agent", "mine"}, {"Referer", "http://a/"}}},
		"no user agent":                   {Port: port, OriginalPath: "/ok", Headers: []ProbeHeader{{"User-Agent", ""}}},
		"https":                           {Port: securePort, OriginalPath: "/ok", Scheme: ProbeHTTPS},
		"https to what fails":             {Port: securePort, OriginalPath: "/fails", Scheme: ProbeHTTPS},
		"https where there is none":       {Port: port, OriginalPath: "/ok", Scheme: ProbeHTTPS},
		"HTTP/2":                          {Port: port, OriginalPath: "/ok", Scheme: ProbeH2C, Headers: headers[:2]},
		"HTTP/2 with a redirect":          {Port: port, OriginalPath: "/start?case=0", Scheme: ProbeH2C},
		"HTTP/2 with a redirect to https": {Port: port, OriginalPath: fmt.Sprintf("/start?case=%d", caseOf("another port")), Scheme: ProbeH2C},
	}
	names := slices.Sorted(keysOf(special))
	for i, name := range names {
		r := special[name]
		r.Path, r.Timeout = fmt.Sprintf("/probe/special-%d/readiness", i), probeTimeout
		special[name] = r
		routes = append(routes, r)
	}
	proxy := runProbes(t, routes)

	compare := func(t *testing.T, r ProbeRoute, want string) {
		app.seen()
		direct, said := kubelet(directURL(r), r.Headers, r.Scheme == ProbeH2C)
		seen := app.seen()
		if direct != want {
			t.Errorf("without the mesh: %s (%s), want %s", direct, said, want)
		}
		through, saidThrough := kubelet("http://"+proxy+r.Path, nil, false)
		if through != want {
			t.Errorf("with the mesh: %s (%s), without %s (%s)", through, saidThrough, direct, said)
		}
		if got := app.seen(); !slices.Equal(got, seen) {
			t.Errorf("the application saw\n%s\nwithout the mesh\n%s", strings.Join(got, "\n"), strings.Join(seen, "\n"))
		}
	}
	app.redirect = func(i int) (string, int) { return tests[i].location, tests[i].status }
	for i, tt := range tests {
		t.Run("a redirect to "+tt.name, func(t *testing.T) { compare(t, routes[i], tt.want) })
	}
	for i, tt := range answers {
		t.Run("an answer of "+tt.name, func(t *testing.T) { compare(t, routes[len(tests)+i], tt.want) })
	}
	for _, name := range names {
		want := "success"
		if strings.Contains(name, "fails") || strings.Contains(name, "none") || strings.Contains(name, "to https") {
			want = "failure"
		}
		t.Run(name, func(t *testing.T) { compare(t, special[name], want) })
	}
}

// kubelet asks as the kubelet does (pkg/probe/http of Kubernetes), and judges alike.
func kubelet(url string, headers []ProbeHeader, h2c bool) (verdict, said string) {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "failure", err.Error()
	}
	for _, h := range headers {
		request.Header.Add(h.Name, h.Value)
	}
	if _, ok := request.Header["User-Agent"]; !ok {
		request.Header.Set("User-Agent", "kube-probe/1.37")
	}
	if _, ok := request.Header["Accept"]; !ok {
		request.Header.Set("Accept", "*/*")
	} else if request.Header.Get("Accept") == "" {
		request.Header.Del("Accept")
	}
	request.Host = request.Header.Get("Host")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true}
	if h2c {
		transport = &http.Transport{DisableKeepAlives: true, DisableCompression: true, Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	client := &http.Client{Timeout: probeTimeout, Transport: transport, CheckRedirect: func(request *http.Request, via []*http.Request) error {
		if request.URL.Hostname() != via[0].URL.Hostname() {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			return errors.New("stopped after 10 redirects")
		}
		return nil
	}}
	response, err := client.Do(request)
	if err != nil {
		return "failure", err.Error()
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 10<<10)); err != nil {
		return "failure", err.Error()
	}
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return "warning", response.Status
	case response.StatusCode >= 200 && response.StatusCode < 300:
		return "success", response.Status
	}
	return "failure", response.Status
}

func directURL(r ProbeRoute) string {
	scheme := "http"
	if r.Scheme == ProbeHTTPS {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, r.Port, r.OriginalPath)
}

// A probedApp answers in plaintext, HTTP/1.1 and HTTP/2, and by TLS, and keeps what it was asked.
type probedApp struct {
	plain, secure *httptest.Server
	redirect      func(int) (location string, status int)
	mu            sync.Mutex
	asked         []string
}

func newProbedApp(t *testing.T) *probedApp {
	app := &probedApp{}
	app.plain, app.secure = httptest.NewUnstartedServer(app), httptest.NewUnstartedServer(app)
	app.plain.Config.Protocols = new(http.Protocols)
	app.plain.Config.Protocols.SetHTTP1(true)
	app.plain.Config.Protocols.SetUnencryptedHTTP2(true)
	app.secure.EnableHTTP2 = true
	app.plain.Config.ErrorLog, app.secure.Config.ErrorLog = discardLog(), discardLog()
	app.plain.Start()
	app.secure.StartTLS()
	t.Cleanup(app.plain.Close)
	t.Cleanup(app.secure.Close)
	return app
}

func (a *probedApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.TLS != nil {
		r.Header.Del("Connection")
	}
	var headers []string
	for name, values := range r.Header {
		headers = append(headers, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(headers)
	a.mu.Lock()
	a.asked = append(a.asked, fmt.Sprintf("%s %s %s Host %s, %d bytes, %v, %s", r.Proto, r.Method, r.RequestURI, r.Host, len(body), r.TransferEncoding, strings.Join(headers, "; ")))
	a.mu.Unlock()
	var n int
	switch path := r.URL.Path; {
	case path == "/start":
		_, _ = fmt.Sscan(r.URL.Query().Get("case"), &n)
		location, status := a.redirect(n)
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
	case scan(path, "/count/%d", &n):
		http.Redirect(w, r, fmt.Sprintf("/count/%d", n-1), http.StatusFound)
	case scan(path, "/leave/%d", &n):
		http.Redirect(w, r, fmt.Sprintf("/leave/%d", n-1), http.StatusFound)
	case path == "/leave/0":
		http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
	case path == "/loop":
		http.Redirect(w, r, path, http.StatusFound)
	case path == "/large":
		_, _ = w.Write(make([]byte, 1<<20))
	case path == "/ok", path == "/count/0", strings.HasPrefix(path, "/echo/"):
		fmt.Fprintln(w, "ok")
	case path == "/fails":
		w.WriteHeader(http.StatusTeapot)
	default:
		http.NotFound(w, r)
	}
}

func scan(path, format string, n *int) bool {
	_, err := fmt.Sscanf(path, format, n)
	return err == nil && *n > 0
}

// seen gives what the application was asked since the last call.
func (a *probedApp) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

type netListener struct{ net.Listener }

// answerRaw answers each request by bytes, and closes.
func answerRaw(t *testing.T, answer string) *netListener {
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, answer)
				}
			}()
		}
	}()
	return &netListener{l}
}

// runProbes starts Envoy with the probe listener alone, and gives its address once it answers.
func runProbes(t *testing.T, probes []ProbeRoute) string {
	params := testPod()
	params.Probes = probes
	config, err := bootstrapConfig(params)
	if err != nil {
		t.Fatal(err)
	}
	port := envoytest.FreePort(t)
	config.DynamicResources, config.StatsSinks = nil, nil
	config.Admin.Address = pipeAddress(filepath.Join(t.TempDir(), "admin.sock"))
	config.OverloadManager = nil
	config.StaticResources.Clusters = slices.DeleteFunc(config.StaticResources.Clusters, func(c *clusterv3.Cluster) bool {
		return !strings.HasPrefix(c.Name, "probe/")
	})
	l := probeListener(params)
	l.Address, l.AdditionalAddresses = socketAddress("127.0.0.1", port), nil
	config.StaticResources.Listeners = []*listenerv3.Listener{l}
	raw, err := messageYAML(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), envoytest.Binary(t), "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		response, err := http.Get("http://" + address + "/")
		if err == nil {
			response.Body.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("Envoy does not answer: %v", err)
		}
	}
}

func keysOf[V any](m map[string]V) func(func(string) bool) { return maps.Keys(m) }

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
