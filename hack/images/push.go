// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// push uploads the image to a registry, as REGISTRY/NAME:TAG, with the credentials
// that docker login has left. A registry on loopback is spoken to in plain HTTP.
func (s spec) push(ctx context.Context, registry string) (name.Tag, v1.Hash, error) {
	tag, err := name.NewTag(registry + "/" + s.name + ":" + s.tag)
	if err != nil {
		return name.Tag{}, v1.Hash{}, fmt.Errorf("name: %w", err)
	}
	image, err := s.image()
	if err != nil {
		return name.Tag{}, v1.Hash{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return name.Tag{}, v1.Hash{}, fmt.Errorf("digest: %w", err)
	}
	err = remote.Write(tag, image, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return name.Tag{}, v1.Hash{}, fmt.Errorf("push %s: %w", tag, err)
	}
	return tag, digest, nil
}
