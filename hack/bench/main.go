// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the mesh: docs/performance.md says what and why. It
// prints a table of figures, and writes them as JSON and as Markdown if asked.
// Without names it measures every part.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// part is what can be measured alone.
type part struct {
	name, about string
	// isolated parts run in a network namespace of their own, where nothing
	// leads outside.
	isolated bool
	// bound is the longest that it may take.
	bound   time.Duration
	measure func(context.Context, *session) ([]Figure, error)
}

// parts are in the order of docs/performance.md.
var parts = []part{
	{name: "policy", about: "A policy changes", bound: 5 * time.Minute, measure: measurePolicy},
	{name: "push", about: "An endpoint changes", isolated: true, bound: 9 * time.Minute, measure: measurePush},
	{name: "compile", about: "One Service of many changes", bound: 3 * time.Minute, measure: measureCompile},
	{name: "webhook", about: "A pod is injected", isolated: true, bound: 3 * time.Minute, measure: measureWebhook},
	{name: "issue", about: "Certificates", isolated: true, bound: 3 * time.Minute, measure: measureIssue},
	{name: "pods", about: "A pod starts", bound: 5 * time.Minute, measure: measurePods},
	{name: "memory", about: "Memory of a sidecar", isolated: true, bound: 5 * time.Minute, measure: measureMemory},
	{name: "filters", about: "Filters that are not used", isolated: true, bound: 12 * time.Minute, measure: measureFilters},
	{name: "latency", about: "Latency of two proxies", isolated: true, bound: 4 * time.Minute, measure: measureLatency},
}

// helpers are the other programs of a measurement, which run as processes of
// their own, so that their work is not counted as the server's.
var helpers = map[string]func(context.Context) error{
	"clients": runClients,
	"linear":  runLinear,
	"app":     runApp,
	"capture": runCapture,
	"load":    runLoad,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) == 2 && helpers[os.Args[1]] != nil {
		return helpers[os.Args[1]](ctx)
	}
	jsonFile := flag.String("json", "", "write the figures as JSON to this file")
	tableFile := flag.String("table", "", "write the figures as Markdown to this file")
	inside := flag.Bool("inside", false, "measure in a network namespace of its own (bench starts itself so)")
	profiles := flag.String("profiles", "", "keep profiles of the server in this directory, of the changes that 100 of 1,000 proxies want")
	flag.Parse()
	if *inside {
		if err := harness.InNetworkNamespace(); err != nil {
			return err
		}
	}
	chosen, err := choose(flag.Args())
	if err != nil {
		return err
	}
	report := Report{Machine: describeMachine(ctx)}
	if *inside {
		report.Parts, err = measureHere(ctx, chosen, *profiles)
		return errors.Join(err, report.writeJSON(*jsonFile))
	}
	report.Parts, err = measureAll(ctx, chosen, *profiles)
	fmt.Print(report.Markdown())
	return errors.Join(err, report.writeJSON(*jsonFile), report.writeTable(*tableFile))
}

func choose(names []string) ([]part, error) {
	if len(names) == 0 {
		return parts, nil
	}
	var chosen []part
	for _, name := range names {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			var known []string
			for _, p := range parts {
				known = append(known, p.name)
			}
			return nil, fmt.Errorf("no part %q; there are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}

// measureAll measures isolated parts in one process of their own, the others here.
func measureAll(ctx context.Context, chosen []part, profiles string) ([]Measured, error) {
	var here []part
	var away []string
	for _, p := range chosen {
		if p.isolated {
			away = append(away, p.name)
		} else {
			here = append(here, p)
		}
	}
	measured, err := measureHere(ctx, here, profiles)
	if len(away) > 0 {
		more, awayErr := measureAway(ctx, away, profiles)
		measured, err = append(measured, more...), errors.Join(err, awayErr)
	}
	slices.SortStableFunc(measured, func(a, b Measured) int { return orderOf(a.Name) - orderOf(b.Name) })
	return measured, err
}

func orderOf(name string) int {
	return slices.IndexFunc(parts, func(p part) bool { return p.name == name })
}

func measureAway(ctx context.Context, names []string, profiles string) ([]Measured, error) {
	dir, err := os.MkdirTemp("", "mesh-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "figures.json")
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"-inside", "-json", file, "-profiles", profiles}, names...)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	runErr := cmd.Run()
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.Join(runErr, err)
	}
	var report Report
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, errors.Join(runErr, err)
	}
	return report.Parts, runErr
}

// measureHere measures one part after the other. One that fails does not keep
// the others from being measured.
func measureHere(ctx context.Context, chosen []part, profiles string) ([]Measured, error) {
	s := &session{profiles: profiles}
	defer s.close(context.WithoutCancel(ctx))
	var measured []Measured
	var errs []error
	for _, p := range chosen {
		if ctx.Err() != nil {
			return measured, errors.Join(append(errs, ctx.Err())...)
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", p.name)
		start := time.Now()
		bounded, cancel := context.WithTimeout(ctx, p.bound)
		figures, err := p.measure(bounded, s)
		cancel()
		m := Measured{Name: p.name, About: p.about, Seconds: time.Since(start).Seconds(), Figures: figures}
		if err != nil {
			m.Failed = err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
		measured = append(measured, m)
	}
	return measured, errors.Join(errs...)
}
