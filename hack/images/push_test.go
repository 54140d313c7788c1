// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestPushedImageIsTheOneThatIsWritten(t *testing.T) {
	served := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer served.Close()
	dir := t.TempDir()
	binary := filepath.Join(dir, "bookstore")
	if err := os.WriteFile(binary, []byte("a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	image := program("bookstore", binary)
	written, err := image.write(filepath.Join(dir, "bookstore.tar"))
	if err != nil {
		t.Fatal(err)
	}

	tag, digest, err := image.push(t.Context(), strings.TrimPrefix(served.URL, "http://")+"/mesh")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(tag.String(), "/mesh/bookstore:dev") || digest != written {
		t.Errorf("pushed %s as %s, want %s as mesh/bookstore:dev", digest, tag, written)
	}
	pulled, err := remote.Image(tag)
	if err != nil {
		t.Fatal(err)
	}
	config, err := pulled.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != nobody || config.Config.Entrypoint[0] != "/usr/local/bin/bookstore" {
		t.Errorf("it runs %v as %s", config.Config.Entrypoint, config.Config.User)
	}
}
