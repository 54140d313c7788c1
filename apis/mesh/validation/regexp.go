// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp/syntax"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxProgramSize bounds what an expression compiles to. RE2 in C++, which the
// proxy uses, takes 87,000 instructions with its default memory of 8 MiB, and
// spells a class of characters out in UTF-8: a few instructions a range.
const (
	maxProgramSize       = 10_000
	instructionsPerRange = 4
)

// validateRegularExpression takes what RE2 takes: Go's syntax is the same, but
// for \C, which Go refuses.
func validateRegularExpression(expression string, path *field.Path) field.ErrorList {
	if expression == "" {
		return nil
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return field.ErrorList{field.Invalid(path, expression, fmt.Sprintf("must be a regular expression (RE2): %v", err))}
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return field.ErrorList{field.Invalid(path, expression, fmt.Sprintf("must be a regular expression (RE2): %v", err))}
	}
	if size := programSize(program); size > maxProgramSize {
		return field.ErrorList{field.Invalid(path, expression, fmt.Sprintf("must be a smaller regular expression: it compiles to %d instructions, and %d are allowed", size, maxProgramSize))}
	}
	return nil
}

func programSize(program *syntax.Prog) int {
	size := 0
	for _, instruction := range program.Inst {
		size += 1 + instructionsPerRange*len(instruction.Rune)/2
	}
	return size
}
