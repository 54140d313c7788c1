// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command images writes container images as docker-archive files, without a
// container engine: OUT/NAME.tar holds docker.io/local/NAME:dev, or for envoy
// the tag that says its version. The same content gives the same bytes.
//
//	go run . --out DIR [--bin DIR] [--envoy FILE] [--cluster DIR] NAME...
//
// With --push REGISTRY they go to REGISTRY/NAME instead, and nothing is written.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sources says where the programs that go into images were built.
type sources struct {
	bin     string // mesh-apiserver, mesh-helper and bookstore
	envoy   string // the Envoy binary itself
	cluster string // the local cluster's programs
}

func main() {
	var from sources
	out := flag.String("out", ".", "the directory to write to")
	registry := flag.String("push", "", "the registry, with a path if it wants one, to push to instead")
	flag.StringVar(&from.bin, "bin", "bin", "the directory of mesh-apiserver, mesh-helper and bookstore")
	flag.StringVar(&from.envoy, "envoy", "", "the Envoy binary")
	flag.StringVar(&from.cluster, "cluster", "", "the directory of the local cluster's programs")
	flag.Parse()
	if err := deliver(*registry, *out, from, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "images: %v\n", err)
		os.Exit(1)
	}
}

// deliver prints the reference and the digest of each image that it has written
// or pushed.
func deliver(registry, out string, from sources, names []string) error {
	images, err := choose(catalogue(from), names)
	if err != nil {
		return err
	}
	if registry != "" {
		return pushAll(registry, images)
	}
	return writeAll(out, images)
}

func choose(catalogue []spec, names []string) ([]spec, error) {
	var chosen []spec
	for _, name := range names {
		i := slices.IndexFunc(catalogue, func(s spec) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no image is called %q; there are: %s", name, strings.Join(namesOf(catalogue), ", "))
		}
		chosen = append(chosen, catalogue[i])
	}
	return chosen, nil
}

func writeAll(out string, images []spec) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("make the output directory: %w", err)
	}
	for _, image := range images {
		digest, err := image.write(filepath.Join(out, image.name+".tar"))
		if err != nil {
			return fmt.Errorf("image %s: %w", image.name, err)
		}
		fmt.Printf("%s %s\n", image.reference(), digest)
	}
	return nil
}

func pushAll(registry string, images []spec) error {
	for _, image := range images {
		tag, digest, err := image.push(context.Background(), registry)
		if err != nil {
			return fmt.Errorf("image %s: %w", image.name, err)
		}
		fmt.Printf("%s %s\n", tag, digest)
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
