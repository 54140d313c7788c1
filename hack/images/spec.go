// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// spec is an image of a program.
type spec struct {
	name, tag, user string
	path            string   // the program in the image; its entrypoint
	source          string   // the program on this machine
	beside          []string // other static programs on this machine, for its directory
	linked          bool     // whether it needs the C library's files beside it
}

func (s spec) reference() string {
	return "docker.io/local/" + s.name + ":" + s.tag
}

// write puts the image into file, unless that holds the same already, and
// returns its digest.
func (s spec) write(file string) (v1.Hash, error) {
	image, err := s.image()
	if err != nil {
		return v1.Hash{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return v1.Hash{}, fmt.Errorf("digest: %w", err)
	}
	if before, err := tarball.ImageFromPath(file, nil); err == nil {
		// Images are compared by their configuration, which names their layers.
		was, err := before.ConfigName()
		if is, isErr := image.ConfigName(); err == nil && isErr == nil && was == is {
			return digest, nil
		}
	}
	tag, err := name.NewTag(s.reference())
	if err != nil {
		return v1.Hash{}, fmt.Errorf("name: %w", err)
	}
	return digest, replaceFile(file, func(partial string) error {
		return tarball.WriteToFile(partial, tag, image)
	})
}

// replaceFile writes a file beside the one meant, which takes its place only
// when it is whole.
func replaceFile(file string, write func(partial string) error) error {
	partial, err := os.CreateTemp(filepath.Dir(file), ".partial-*")
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer os.Remove(partial.Name())
	if err := partial.Close(); err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	if err := write(partial.Name()); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return os.Rename(partial.Name(), file)
}

// image has one layer, uncompressed since it travels no further than this
// machine, and no time in it.
func (s spec) image() (v1.Image, error) {
	files := []file{{path: s.path, source: s.source, mode: 0o755}}
	for _, other := range s.beside {
		files = append(files, file{path: path.Join(path.Dir(s.path), filepath.Base(other)), source: other, mode: 0o755})
	}
	if s.linked {
		libraries, err := linkedFiles(s.source)
		if err != nil {
			return nil, err
		}
		files = append(files, libraries...)
	}
	content, err := layer(files)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(content, types.DockerUncompressedLayer))
	if err != nil {
		return nil, fmt.Errorf("add layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.User = s.user
	config.Config.Entrypoint = []string{s.path}
	config.Config.Env = []string{"PATH=/usr/local/bin"}
	return mutate.ConfigFile(image, config)
}
