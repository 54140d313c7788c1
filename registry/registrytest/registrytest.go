// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package registrytest tests kinds. Conform tries what every kind must do, on a real
// API server and etcd. For what a kind does by itself, Decode and Create take
// manifests the way of a write request, without admission and storage: decoded
// strictly, defaulted, prepared and validated by a strategy.
package registrytest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
)

// Decode gives the hub object of a manifest, as a server with strict field
// validation reads it.
func Decode(t *testing.T, manifest string) runtime.Object {
	t.Helper()
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	obj, err := runtime.Decode(codecs.UniversalDecoder(mesh.SchemeGroupVersion), []byte(manifest))
	if err != nil {
		t.Fatalf("decode manifest: %v", err)
	}
	return obj
}

// Context is a request about a resource of the group, in the namespace of the object.
func Context(t *testing.T, obj runtime.Object, resource, subresource string) context.Context {
	t.Helper()
	accessor, err := meta.Accessor(obj)
	if err != nil {
		t.Fatalf("read metadata: %v", err)
	}
	ctx := genericapirequest.WithNamespace(t.Context(), accessor.GetNamespace())
	return genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{
		APIGroup:          mesh.GroupName,
		APIVersion:        v1alpha1.SchemeGroupVersion.Version,
		Resource:          resource,
		Subresource:       subresource,
		Namespace:         accessor.GetNamespace(),
		IsResourceRequest: true,
	})
}

// Create runs what a store does before it writes a new object, and gives the
// error of that.
func Create(ctx context.Context, t *testing.T, strategy rest.RESTCreateStrategy, obj runtime.Object) error {
	t.Helper()
	accessor, err := meta.Accessor(obj)
	if err != nil {
		t.Fatalf("read metadata: %v", err)
	}
	rest.FillObjectMetaSystemFields(accessor)
	return rest.BeforeCreate(strategy, ctx, obj)
}

// ExpectCauses compares the causes of an Invalid error with what is wanted: each
// want is a field, a colon, and a part of the message. No wants: no error.
func ExpectCauses(t *testing.T, err error, wants ...string) {
	t.Helper()
	causes := causesOf(t, err)
	for _, want := range wants {
		field, message, _ := strings.Cut(want, ": ")
		found := slices.IndexFunc(causes, func(cause cause) bool {
			return cause.field == field && strings.Contains(cause.message, message)
		})
		if found < 0 {
			t.Errorf("missing: %s\ngot: %v", want, err)
			continue
		}
		causes = slices.Delete(causes, found, found+1)
	}
	for _, cause := range causes {
		t.Errorf("unexpected: %s: %s", cause.field, cause.message)
	}
}

type cause struct{ field, message string }

func causesOf(t *testing.T, err error) []cause {
	t.Helper()
	if err == nil {
		return nil
	}
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil || !apierrors.IsInvalid(err) {
		t.Fatalf("not an Invalid error: %v", err)
	}
	var causes []cause
	for _, c := range status.ErrStatus.Details.Causes {
		causes = append(causes, cause{c.Field, c.Message})
	}
	return causes
}
