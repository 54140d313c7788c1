// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	"strconv"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// ArgsParams are the settings of a proxy that Envoy takes on its command line.
type ArgsParams struct {
	// NodeID is "namespace/pod/uid", or what Kubernetes expands to it:
	// "$(POD_NAMESPACE)/$(POD_NAME)/$(POD_UID)".
	NodeID string
	// LogLevel is trace, debug, info, warning, error, critical or off; empty: warning.
	LogLevel string
	// Concurrency is the number of worker threads; 0 leaves it to Envoy: one a CPU.
	Concurrency uint32
	// DrainTime is how long the connections of a changed or removed filter chain
	// or listener may stay; 0 means 30 s (Envoy's own default is 10 min).
	DrainTime time.Duration
}

// Args are Envoy's arguments, without the program's name.
func Args(p ArgsParams) []string {
	drain := cmp.Or(p.DrainTime, 30*time.Second)
	args := []string{
		"--config-path", model.Bootstrap,
		"--service-node", p.NodeID,
		"--log-level", cmp.Or(p.LogLevel, "warning"),
		"--drain-time-s", strconv.Itoa(int(drain / time.Second)),
		"--drain-strategy", "gradual",
		"--disable-hot-restart",
	}
	if p.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(int(p.Concurrency)))
	}
	return args
}
