// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// lddPath finds the file in a line of ldd: "libm.so.6 => /lib/x/libm.so.6
// (0x…)", or for the loader "/lib64/ld-linux-x86-64.so.2 (0x…)".
var lddPath = regexp.MustCompile(`(?m)(/\S+) \(0x[0-9a-f]+\)$`)

// linkedFiles are the shared libraries and the loader that a program links,
// under the names by which it looks for them, in order of name.
func linkedFiles(program string) ([]file, error) {
	out, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w: %s", program, err, out)
	}
	if strings.Contains(string(out), "not found") {
		return nil, fmt.Errorf("this machine lacks a library of %s: %s", program, out)
	}
	var files []file
	for _, match := range lddPath.FindAllStringSubmatch(string(out), -1) {
		files = append(files, file{path: match[1], source: match[1], mode: 0o755})
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, nil
}
