// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/xds/xdstest"
)

// playedEnv tells a second process of this program which proxies it plays.
const playedEnv = "XDS_PLAYED_PROXIES"

// played are proxies that a second process plays, so that the processor time of the
// first is the server's alone.
type played struct {
	Address      string
	Root, Key    []byte   // DER
	Certificates [][]byte // DER, one a proxy
	IDs          []string
	// Names are the endpoints and routes that each asks for, beside all clusters and
	// listeners, of which there are as many.
	Names []string
	// Hold has them stay, and ACK all that comes, until the process is killed.
	Hold bool
}

// TestPlayProxies is the second process of benchmarks. It ends when each proxy has
// everything, or never.
func TestPlayProxies(t *testing.T) {
	input := os.Getenv(playedEnv)
	if input == "" {
		t.Skip("no benchmark has started it")
	}
	data, err := os.ReadFile(input)
	if err != nil {
		t.Fatal(err)
	}
	var p played
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(p.Root)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParseECPrivateKey(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	var all sync.WaitGroup
	for i, id := range p.IDs {
		config := &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{p.Certificates[i]}, PrivateKey: key}}, RootCAs: pool, MinVersion: tls.VersionTLS13,
		}
		all.Go(func() {
			if err := p.play(t, config, id); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func (p played) play(t *testing.T, config *tls.Config, id string) error {
	c, err := xdstest.Connect(t.Context(), p.Address, config, id, xdstest.EnvoyWindows()...)
	if err != nil {
		return err
	}
	t.Cleanup(c.Close) // all stay until the last is done
	for _, of := range []struct {
		typeURL string
		names   []string
	}{{xdstest.ClusterType, []string{wildcard}}, {xdstest.EndpointType, p.Names}, {xdstest.ListenerType, []string{wildcard}}, {xdstest.RouteType, p.Names}} {
		if err := c.Subscribe(of.typeURL, of.names...); err != nil {
			return err
		}
	}
	if p.Hold {
		return c.ACKAll()
	}
	for missing := 4 * len(p.Names); missing > 0; {
		r, err := c.Skim()
		if err != nil {
			return err
		}
		if err := c.ACK(r.TypeURL, r.Nonce); err != nil {
			return err
		}
		missing -= len(r.Resources)
	}
	return nil
}

// BenchmarkCold reports the server's processor time for a proxy that connects and
// is sent 1,000 Services, 2.4 MiB as a mesh's are, until its last ACK is sent: all of
// gRPC, TLS and the kernel's share of this process is in it.
func BenchmarkCold(b *testing.B) {
	const services, proxies = 1000, 250
	h := newHarness(b)
	p := played{Address: h.address, Root: h.ca.certificate.Raw}
	var pods []model.Proxy
	for i := range proxies {
		pods = append(pods, pod(fmt.Sprint(i), "v"))
	}
	h.issueAll(&p, pods)
	var resources []envoy.Resource
	for i := range services {
		name := fmt.Sprint("out/shop/service-", i, ":80")
		p.Names = append(p.Names, name)
		for _, k := range []kind{clusters, endpoints, listeners, routes} {
			resources = append(resources, encoded(b, k, name, "", strings.Repeat("x", 500)))
		}
	}
	h.start(pods, resources...)
	var cpu, took time.Duration
	for b.Loop() {
		before, start := processor(b), time.Now()
		h.play(p)
		took += time.Since(start)
		cpu += processor(b) - before
	}
	b.ReportMetric(cpu.Seconds()*1000/float64(b.N)/proxies, "server-ms/proxy")
	b.ReportMetric(took.Seconds()/float64(b.N), "s/burst")
}

// BenchmarkChange reports the server's processor time for a change of endpoints that
// 100 of 200 proxies want, until the last has sent its ACK, but for what compiling costs.
func BenchmarkChange(b *testing.B) {
	const proxies, wanted, changes = 200, 100, 200
	h := newHarness(b)
	var pods []model.Proxy
	for i := range proxies {
		pods = append(pods, pod(fmt.Sprint(i), "v"))
	}
	hot := func(i int) envoy.Resource { return encoded(b, endpoints, "hot", "", fmt.Sprint(i)) }
	h.start(pods, hot(0))
	others, those := played{Address: h.address, Root: h.ca.certificate.Raw, Hold: true}, played{Address: h.address, Root: h.ca.certificate.Raw, Hold: true}
	h.issueAll(&others, pods[wanted:])
	h.issueAll(&those, pods[:wanted])
	those.Names = []string{"hot"}
	defer h.playMeanwhile(others)()
	defer h.playMeanwhile(those)()
	acked := func() bool { s := h.state(""); return s.Acked == wanted }
	waitFor(b, "all proxies", func() bool { return len(h.Counts()) == proxies && acked() })
	var cpu time.Duration
	n := 0
	for b.Loop() {
		before := processor(b)
		for range changes {
			n++
			h.Apply(Update{Set: []envoy.Resource{hot(n)}})
			waitFor(b, "all ACKs", acked)
		}
		cpu += processor(b) - before
	}
	b.ReportMetric(cpu.Seconds()*1000/float64(n), "server-ms/change")
}

// issueAll gives each pod a certificate, all of one key.
func (h *harness) issueAll(p *played, pods []model.Proxy) {
	h.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.Fatal(err)
	}
	if p.Key, err = x509.MarshalECPrivateKey(key); err != nil {
		h.Fatal(err)
	}
	for _, pod := range pods {
		pair := h.ca.issueFor(h, key, called(pod.ID.String(), pod.ServiceAccount, time.Hour))
		p.IDs, p.Certificates = append(p.IDs, pod.ID.String()), append(p.Certificates, pair.Certificate[0])
	}
}

// play runs a second process that plays proxies.
func (h *harness) play(p played) {
	h.Helper()
	if out, err := h.second(p).CombinedOutput(); err != nil {
		h.Fatalf("%v\n%s", err, out)
	}
}

// playMeanwhile starts one, and gives what ends it.
func (h *harness) playMeanwhile(p played) func() {
	h.Helper()
	command := h.second(p)
	if err := command.Start(); err != nil {
		h.Fatal(err)
	}
	return func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()
	}
}

// second is the command of a process that plays proxies.
func (h *harness) second(p played) *exec.Cmd {
	h.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		h.Fatal(err)
	}
	file := h.TempDir() + "/played"
	if err := os.WriteFile(file, data, 0o600); err != nil {
		h.Fatal(err)
	}
	command := exec.Command(os.Args[0], "-test.run=^TestPlayProxies$", "-test.timeout=5m")
	command.Env = append(os.Environ(), playedEnv+"="+file)
	return command
}

// processor is what this process has used of processors, the kernel's work for it
// included.
func processor(t testing.TB) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
