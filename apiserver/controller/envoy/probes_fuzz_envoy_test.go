//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestEnvoyReadsALocationAsTheKubeletDoes makes redirects of pieces of URLs.
func TestEnvoyReadsALocationAsTheKubeletDoes(t *testing.T) {
	t.Parallel()
	app := newProbedApp(t)
	port := portOf(app.plain.Listener)
	at := app.plain.Listener.Addr().String()
	pieces := []string{
		"http:", "HTTP:", "https:", "ftp:", "//", "/", "///", at, "127.0.0.1", "[::1]", "elsewhere.example", ":80", fmt.Sprintf(":%d", port), ":", "@", "user:p%40ss@",
		"ok", "echo/", "a", "..", ".", "../", "./", "?", "?a=b", "&c=%20", "#", "#f", "%41", "%2F", "%", "%zz", " ", "\"", "<", "ü", "\\", "|", "^", "{", "~", "*", "'", "(", "!", ";", "=", ",", "+", "[", "]", "\t",
	}
	random := rand.New(rand.NewPCG(7, 7))
	var locations []string
	for range 1500 {
		var text strings.Builder
		if random.IntN(3) == 0 {
			text.WriteString("http://" + at)
		}
		for range 1 + random.IntN(5) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		locations = append(locations, text.String())
	}
	var n int
	app.redirect = func(int) (string, int) { return locations[n], http.StatusFound }
	proxy := runProbes(t, []ProbeRoute{{Path: "/probe/app/readiness", Port: port, OriginalPath: "/start?case=0", Timeout: probeTimeout}})
	for n = range locations {
		app.seen()
		direct, said := kubelet("http://"+at+"/start?case=0", nil, false)
		seen := app.seen()
		through, saidThrough := kubelet("http://"+proxy+"/probe/app/readiness", nil, false)
		if got := app.seen(); through != direct || !slices.Equal(got, seen) {
			t.Errorf("Location %q: %s (%s), without the mesh %s (%s); the application saw\n%s\nwithout the mesh\n%s",
				locations[n], through, saidThrough, direct, said, strings.Join(got, "\n"), strings.Join(seen, "\n"))
		}
	}
}
