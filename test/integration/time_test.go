// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"time"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// soon bounds what takes milliseconds on a machine that has nothing else to do.
const soon = await.Soon

// bestOfThree holds a time that documents name: a machine that does much else may
// be late once.
func bestOfThree(t *testing.T, bound time.Duration, what string, take func() time.Duration) {
	t.Helper()
	var times []time.Duration
	for range 3 {
		took := take()
		if took <= bound {
			return
		}
		times = append(times, took)
	}
	t.Errorf("%s took %v, want %s at most", what, times, bound)
}
