// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package re2 says which regular expressions the proxies take. Envoy compiles
// them with RE2 in C++ in Latin-1: a character is an octet. Go's syntax is wider,
// and an expression that a proxy refuses would leave what it had before in force.
package re2

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
)

// maxProgramSize bounds what an expression compiles to. RE2 in C++, which the
// proxy uses, takes 87,000 instructions with its default memory of 8 MiB.
const (
	maxProgramSize       = 10_000
	instructionsPerRange = 4
)

// Check is nil for an expression that Go and Envoy's RE2 take and read alike,
// and that is small enough. The error is a sentence that begins with "must".
func Check(expression string) error {
	if expression == "" {
		return errors.New("must not be empty")
	}
	if err := checkOctets(expression); err != nil {
		return err
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return fmt.Errorf("must be a regular expression (RE2): %w", err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return fmt.Errorf("must be a regular expression (RE2): %w", err)
	}
	if size := programSize(program); size > maxProgramSize {
		return fmt.Errorf("must be a smaller regular expression: it compiles to %d instructions, and %d are allowed", size, maxProgramSize)
	}
	return nil
}

// checkOctets refuses what means one thing by characters and another, or
// nothing, by octets.
func checkOctets(expression string) error {
	for i := 0; i < len(expression); i++ {
		if expression[i] >= 0x80 {
			return errors.New(`must be ASCII: write other characters as their UTF-8 octets, each as \xHH`)
		}
	}
	for rest := expression; ; {
		_, after, found := strings.Cut(rest, `\`)
		if !found || after == "" {
			return nil
		}
		switch {
		case after[0] == 'p' || after[0] == 'P':
			return errors.New(`must not hold a Unicode class (\p, \P): proxies compare octets; write a class such as [A-Za-z] or [[:alpha:]]`)
		case beyondOctet(after):
			return errors.New(`must not hold an escape above \xff: proxies compare octets; write the UTF-8 octets, each as \xHH`)
		case after[0] == 'Q':
			_, after, _ = strings.Cut(after, `\E`)
			rest = after
		default:
			rest = after[1:]
		}
	}
}

// beyondOctet tells whether an escape, here without its backslash, stands for
// more than an octet holds.
func beyondOctet(escape string) bool {
	if digits, ok := strings.CutPrefix(escape, "x{"); ok {
		digits, _, _ = strings.Cut(digits, "}")
		value, err := strconv.ParseUint(digits, 16, 32)
		return err != nil || value > 0xff
	}
	if len(escape) < 3 {
		return false
	}
	value, err := strconv.ParseUint(escape[:3], 8, 32)
	return err == nil && value > 0xff
}

func programSize(program *syntax.Prog) int {
	size := 0
	for _, instruction := range program.Inst {
		size += 1 + instructionsPerRange*len(instruction.Rune)/2
	}
	return size
}
