// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command images writes container images as docker-archive files, without a
// container engine: OUT/NAME.tar holds docker.io/local/NAME:dev, or for envoy
// the tag that says its version. The same content gives the same bytes.
//
//	go run . --out DIR [--bin DIR] [--envoy FILE] [--cluster DIR] NAME...
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sources says where the programs that go into images were built.
type sources struct {
	bin     string // mesh-apiserver and bookstore
	envoy   string // the Envoy binary itself
	cluster string // the local cluster's programs
}

func main() {
	var from sources
	out := flag.String("out", ".", "the directory to write to")
	flag.StringVar(&from.bin, "bin", "bin", "the directory of mesh-apiserver and bookstore")
	flag.StringVar(&from.envoy, "envoy", "", "the Envoy binary")
	flag.StringVar(&from.cluster, "cluster", "", "the directory of the local cluster's programs")
	flag.Parse()
	if err := writeAll(*out, from, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "images: %v\n", err)
		os.Exit(1)
	}
}

func writeAll(out string, from sources, names []string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make the output directory: %w", err)
	}
	catalogue := catalogue(from)
	for _, name := range names {
		i := slices.IndexFunc(catalogue, func(s spec) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("no image is called %q; there are: %s", name, strings.Join(namesOf(catalogue), ", "))
		}
		digest, err := catalogue[i].write(filepath.Join(out, name+".tar"))
		if err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
		fmt.Printf("%s %s\n", catalogue[i].reference(), digest)
	}
	return nil
}

func namesOf(specs []spec) []string {
	var names []string
	for _, s := range specs {
		names = append(names, s.name)
	}
	return names
}
