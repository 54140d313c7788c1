// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Report is all that one run has measured.
type Report struct {
	Machine Machine    `json:"machine"`
	Parts   []Measured `json:"parts"`
}

// Measured is one part.
type Measured struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Seconds float64  `json:"seconds"`
	Figures []Figure `json:"figures"`
	// Failed says why figures are missing.
	Failed string `json:"failed,omitempty"`
}

// Figure is one number.
type Figure struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit,omitempty"`
	Samples int     `json:"samples,omitempty"`
	// Aim is what the value should be, nil where none is set.
	Aim *Aim `json:"aim,omitempty"`
}

// Aim is a bound of a figure: the most that it should be, or the least.
type Aim struct {
	Limit   float64 `json:"limit"`
	AtLeast bool    `json:"atLeast,omitempty"`
}

func atMost(limit float64) *Aim  { return &Aim{Limit: limit} }
func atLeast(limit float64) *Aim { return &Aim{Limit: limit, AtLeast: true} }

func (a Aim) met(value float64) bool {
	if a.AtLeast {
		return value >= a.Limit
	}
	return value <= a.Limit
}

// Markdown is a table a part.
func (r Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Machine)
	for _, m := range r.Parts {
		fmt.Fprintf(&b, "\n## %s\n\n`make bench BENCH=%s` (%.0f s)\n", m.About, m.Name, m.Seconds)
		if m.Failed != "" {
			fmt.Fprintf(&b, "\nNot complete: %s\n", firstLine(m.Failed))
		}
		if len(m.Figures) == 0 {
			continue
		}
		b.WriteString("\n| | | aim | |\n|---|---:|---:|---|\n")
		for _, f := range m.Figures {
			fmt.Fprintf(&b, "| %s | %s |%s\n", f.Name, f.measure(), f.verdict())
		}
	}
	return b.String()
}

func (f Figure) measure() string {
	return strings.TrimSpace(number(f.Value) + " " + f.Unit)
}

func (f Figure) verdict() string {
	if f.Aim == nil {
		return " | |"
	}
	sign, verdict := "≤", "met"
	if f.Aim.AtLeast {
		sign = "≥"
	}
	if !f.Aim.met(f.Value) {
		verdict = "**missed**"
	}
	return fmt.Sprintf(" %s %s | %s |", sign, number(f.Aim.Limit), verdict)
}

// number shows three digits of small values, and no fraction of large ones.
func number(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (r Report) writeJSON(file string) error {
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

func (r Report) writeTable(file string) error {
	if file == "" {
		return nil
	}
	head := "<!-- Written by make bench. Do not edit. -->\n# Figures\n\n"
	return os.WriteFile(file, []byte(head+r.Markdown()), 0o644)
}
