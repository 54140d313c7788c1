// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package scheme holds the one scheme of the API server: every group that it
// serves, with hub types, conversions, defaults and validation.
package scheme

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/install"
)

var (
	// Scheme knows every kind that the server serves.
	Scheme = runtime.NewScheme()
	// Codecs encodes and decodes the kinds of Scheme: JSON, YAML, CBOR and protobuf.
	Codecs = serializer.NewCodecFactory(Scheme)
)

func init() {
	install.Install(Scheme)
	// The endpoints of every API server know Status and the options in the
	// group "" at v1, whatever groups it serves.
	metav1.AddToGroupVersion(Scheme, schema.GroupVersion{Version: "v1"})
	Scheme.AddUnversionedTypes(schema.GroupVersion{Version: "v1"},
		&metav1.Status{},
		&metav1.APIVersions{},
		&metav1.APIGroupList{},
		&metav1.APIGroup{},
		&metav1.APIResourceList{},
	)
}
