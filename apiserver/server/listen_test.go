// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	genericoptions "k8s.io/apiserver/pkg/server/options"

	"github.com/openservicemesh/mesh-apiserver/apiserver/options"
)

func TestRequestsUnderWayFinishWhenTheServerEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, finish := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "done")
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveHTTP(ctx, &http.Server{Handler: handler}, listener) }()
	answer := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()

	<-begun
	cancel()
	close(finish)
	if got := <-answer; got != "done" {
		t.Errorf("got %q, want the whole answer", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("got %v, want no error of an ordinary end", err)
	}
}

func TestPortInUseIsSaidByItsFlag(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &Server{options: &options.Options{Recommended: genericoptions.NewRecommendedOptions("/", nil)}}
	s.options.Recommended.SecureServing.BindAddress = net.IPv4(127, 0, 0, 1)
	_, err = s.listen("--xds-port", taken.Addr().(*net.TCPAddr).Port)
	if err == nil || !strings.HasPrefix(err.Error(), "open --xds-port: ") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want the flag and that the address is in use", err)
	}
}
