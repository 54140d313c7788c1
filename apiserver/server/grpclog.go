// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/grpclog"
	"k8s.io/klog/v2"
)

// grpcNoise is in warnings that ask nobody to do anything: a proxy whose stream
// the server ended, as it does when the pod goes, had closed its connection before.
var grpcNoise = []string{
	"grpc: Server.processRPC failed to write status:",
	"grpc: Server.handleStream failed to write status:",
}

// grpcLog passes on what gRPC logs, of the xDS server and of etcd alike: warnings
// and errors as such, noise and the rest at verbosity 5.
type grpcLog struct {
	log klog.Logger
}

var _ grpclog.LoggerV2 = grpcLog{}

func (g grpcLog) Info(args ...any)                 { g.info(fmt.Sprint(args...)) }
func (g grpcLog) Infoln(args ...any)               { g.info(fmt.Sprintln(args...)) }
func (g grpcLog) Infof(format string, args ...any) { g.info(fmt.Sprintf(format, args...)) }

func (g grpcLog) Warning(args ...any)                 { g.warn(fmt.Sprint(args...)) }
func (g grpcLog) Warningln(args ...any)               { g.warn(fmt.Sprintln(args...)) }
func (g grpcLog) Warningf(format string, args ...any) { g.warn(fmt.Sprintf(format, args...)) }

func (g grpcLog) Error(args ...any)                 { g.fail(fmt.Sprint(args...)) }
func (g grpcLog) Errorln(args ...any)               { g.fail(fmt.Sprintln(args...)) }
func (g grpcLog) Errorf(format string, args ...any) { g.fail(fmt.Sprintf(format, args...)) }

func (g grpcLog) Fatal(args ...any)                 { klog.Fatal(args...) }
func (g grpcLog) Fatalln(args ...any)               { klog.Fatalln(args...) }
func (g grpcLog) Fatalf(format string, args ...any) { klog.Fatalf(format, args...) }

func (g grpcLog) V(level int) bool { return g.log.V(level).Enabled() }

func (g grpcLog) info(message string) { g.log.V(5).Info(strings.TrimSpace(message)) }

func (g grpcLog) warn(message string) {
	if slices.ContainsFunc(grpcNoise, func(noise string) bool { return strings.Contains(message, noise) }) {
		g.info(message)
		return
	}
	g.log.Info(strings.TrimSpace(message))
}

func (g grpcLog) fail(message string) { g.log.Error(nil, strings.TrimSpace(message)) }
