// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/openservicemesh/mesh-apiserver/registry/table"
)

// Live describes a kind whose objects are computed when they are read: there is no
// etcd, no write and no watch. O is the hub type, a pointer.
//
// A list takes selectors and no limit: it answers with all objects, which the API
// allows, so there is nothing to continue.
type Live[O Object] struct {
	Names
	New     func() O
	NewList func() runtime.Object

	// Get gives an object that the caller may keep, if there is one. The namespace is
	// empty if objects have none. An error is answered as it is.
	Get func(namespace, name string) (object O, found bool, err error)
	// List gives the objects of a namespace, or all if it is empty, in any order. The
	// caller may keep them.
	List func(namespace string) ([]O, error)

	Table table.Convertor[O]
}

// liveStorage serves the objects of a Live kind.
type liveStorage[O Object] struct {
	named
	table.Convertor[O]
	kind Live[O]
}

var (
	_ rest.Scoper               = liveStorage[Object]{}
	_ rest.SingularNameProvider = liveStorage[Object]{}
	_ rest.Getter               = liveStorage[Object]{}
	_ rest.Lister               = liveStorage[Object]{}
)

// Storage serves the kind; it takes nothing of the options.
func (k Live[O]) Storage(*runtime.Scheme, generic.RESTOptionsGetter) (map[string]rest.Storage, error) {
	return map[string]rest.Storage{k.Resource.Resource: liveStorage[O]{named{k.Names}, k.Table, k}}, nil
}

func (s liveStorage[O]) New() runtime.Object     { return s.kind.New() }
func (s liveStorage[O]) NewList() runtime.Object { return s.kind.NewList() }
func (s liveStorage[O]) Destroy()                {}
func (s liveStorage[O]) NamespaceScoped() bool   { return s.kind.Namespaced }
func (s liveStorage[O]) GetSingularName() string { return s.kind.Singular }

// Get gives the object of this moment.
func (s liveStorage[O]) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	object, found, err := s.kind.Get(genericapirequest.NamespaceValue(ctx), name)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, apierrors.NewNotFound(s.kind.Resource, name)
	}
	return object, nil
}

// List gives the objects of this moment that the selectors choose, by namespace and
// name. The API has refused selectors by other fields than these two.
func (s liveStorage[O]) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	objects, err := s.kind.List(genericapirequest.NamespaceValue(ctx))
	if err != nil {
		return nil, err
	}
	byLabel, byField := labels.Everything(), fields.Everything()
	if options != nil && options.LabelSelector != nil {
		byLabel = options.LabelSelector
	}
	if options != nil && options.FieldSelector != nil {
		byField = options.FieldSelector
	}
	var chosen []runtime.Object
	slices.SortFunc(objects, func(a, b O) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	for _, object := range objects {
		names := fields.Set{"metadata.name": object.GetName(), "metadata.namespace": object.GetNamespace()}
		if byLabel.Matches(labels.Set(object.GetLabels())) && byField.Matches(names) {
			chosen = append(chosen, object)
		}
	}
	list := s.kind.NewList()
	if err := meta.SetList(list, chosen); err != nil {
		return nil, fmt.Errorf("make the list of %s: %w", s.kind.Resource, err)
	}
	return list, nil
}
