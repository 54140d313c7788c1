// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestTableSaysWhichAimsAreMissed(t *testing.T) {
	report := Report{Parts: []Measured{{Name: "push", Figures: []Figure{
		{Name: "fast", Value: 11.97, Unit: "ms", Aim: atMost(12)},
		{Name: "slow", Value: 26, Unit: "ms", Aim: atMost(25)},
		{Name: "rate", Value: 91.2, Unit: "%", Aim: atLeast(90)},
		{Name: "plain", Value: 0.789},
	}}}}
	for _, want := range []string{
		"| fast | 12.0 ms | ≤ 12 | met |", "| slow | 26 ms | ≤ 25 | **missed** |", "| rate | 91.2 % | ≥ 90 | met |", "| plain | 0.79 | | |",
	} {
		if !strings.Contains(report.Markdown(), want+"\n") {
			t.Errorf("no line %q in\n%s", want, report.Markdown())
		}
	}
}

func TestQuantileIsANearestRank(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}
