// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kind serves kinds that are described: a Stored kind is kept in etcd, a
// Live one is computed when it is read. A description holds what is the kind's
// own; what all kinds do is here.
package kind

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Kind is what a group serves.
type Kind interface {
	// Storage gives what serves the kind, by resource or resource/subresource.
	Storage(scheme *runtime.Scheme, options generic.RESTOptionsGetter) (map[string]rest.Storage, error)
}

// Object is a pointer to a hub type.
type Object interface {
	runtime.Object
	metav1.Object
}

// Names are what clients call a kind, and where its objects are.
type Names struct {
	// Resource is the plural, which is in URLs, with the kind's group.
	Resource schema.GroupResource
	Singular string
	Short    []string
	// Namespaced kinds have objects in namespaces; those of others belong to the
	// cluster.
	Namespaced bool
}

// named says what discovery tells of a kind.
type named struct{ names Names }

var (
	_ rest.ShortNamesProvider = named{}
	_ rest.CategoriesProvider = named{}
)

// ShortNames are what kubectl takes for the plural.
func (n named) ShortNames() []string { return n.names.Short }

// Categories are the sets of kinds that kubectl takes for one: every kind is in mesh.
func (named) Categories() []string { return []string{"mesh"} }
