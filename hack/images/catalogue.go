// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "path/filepath"

// nobody is the user of images that need none. Injected proxies are given another.
const nobody = "65532"

// catalogue lists every image.
func catalogue(from sources) []spec {
	return []spec{
		program("mesh-apiserver", filepath.Join(from.bin, "mesh-apiserver"), filepath.Join(from.bin, "mesh-helper")),
		program("bookstore", filepath.Join(from.bin, "bookstore")),
		program("coredns", filepath.Join(from.cluster, "coredns")),
		program("pause", filepath.Join(from.cluster, "pause")),
		{
			name: "envoy", tag: "1.40.0", user: nobody,
			path: "/usr/local/bin/envoy", source: from.envoy, linked: true,
		},
	}
}

// program is an image of a static binary, with others beside it.
func program(name, source string, beside ...string) spec {
	return spec{name: name, tag: "dev", user: nobody, path: "/usr/local/bin/" + name, source: source, beside: beside}
}
