// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path"
	"strings"
)

// file is one file of an image.
type file struct {
	path, source string
	mode         int64
}

// layer is a tar of the files with the directories above them and a /tmp that
// everybody may write, all owned by root and without times.
func layer(files []file) ([]byte, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	made := map[string]bool{}
	if err := addDirectory(archive, made, "tmp", 0o1777); err != nil {
		return nil, err
	}
	for _, f := range files {
		inside := strings.TrimPrefix(f.path, "/")
		if err := addDirectory(archive, made, path.Dir(inside), 0o755); err != nil {
			return nil, err
		}
		if err := addFile(archive, inside, f); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("end layer: %w", err)
	}
	return content.Bytes(), nil
}

func addDirectory(archive *tar.Writer, made map[string]bool, dir string, mode int64) error {
	if dir == "." || made[dir] {
		return nil
	}
	if err := addDirectory(archive, made, path.Dir(dir), 0o755); err != nil {
		return err
	}
	made[dir] = true
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: mode}); err != nil {
		return fmt.Errorf("add directory %s: %w", dir, err)
	}
	return nil
}

func addFile(archive *tar.Writer, inside string, f file) error {
	content, err := os.ReadFile(f.source)
	if err != nil {
		return fmt.Errorf("read program: %w", err)
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: inside, Mode: f.mode, Size: int64(len(content))}
	if err := archive.WriteHeader(header); err != nil {
		return fmt.Errorf("add %s: %w", f.path, err)
	}
	if _, err := archive.Write(content); err != nil {
		return fmt.Errorf("add %s: %w", f.path, err)
	}
	return nil
}
