// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

// measureCompile takes how long the controller works, and how much it hands to
// each subscriber, when the endpoints of one of many Services change.
func measureCompile(ctx context.Context, _ *session) ([]Figure, error) {
	const runs = 5
	values, err := goBench(ctx, "./apiserver/controller", "^BenchmarkServiceChange$", runs, "-benchtime", "300x")
	if err != nil {
		return nil, err
	}
	var figures []Figure
	for _, change := range []string{"endpoint", "port"} {
		for _, services := range []int{100, 1000, 5000} {
			v := values[fmt.Sprintf("BenchmarkServiceChange/%s/%d", change, services)]
			what := fmt.Sprintf("one %s of %d Services changes", change, services)
			figures = append(figures,
				Figure{Name: what + ": compile, median of runs", Value: median(v["ns/op"]) / 1e3, Unit: "µs", Samples: runs * 300},
				Figure{Name: what + ": sent to a proxy that wants it", Value: median(v["sent-B/op"]), Unit: "B", Samples: runs * 300})
		}
	}
	return figures, nil
}
