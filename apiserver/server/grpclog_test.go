// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"slices"
	"testing"

	"github.com/go-logr/logr/funcr"
)

func TestProxiesThatLeaveAreNotLogged(t *testing.T) {
	var got []string
	log := grpcLog{log: funcr.New(func(_, args string) { got = append(got, args) }, funcr.Options{Verbosity: 2})}
	log.Warningln("[core]", `[Server #36] grpc: Server.processRPC failed to write status: connection error: desc = "transport is closing"`)
	log.Infoln("[core]", "[Server #36] ListenSocket created")
	log.Warningln("[core]", "[Channel #1] grpc: addrConn.createTransport failed to connect")
	log.Errorln("[transport]", "bad")
	want := []string{
		`"level"=0 "msg"="[core] [Channel #1] grpc: addrConn.createTransport failed to connect"`,
		`"msg"="[transport] bad" "error"=null`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
}
