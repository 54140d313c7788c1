// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
)

// Target is what the Writer has to know of a kind.
type Target struct {
	// Kind names it, in Reports and in errors.
	Kind string
	// Get gives an object as it is known, which is never changed.
	Get func(types.NamespacedName) (Object, error)
	// Edit gives a copy of an object with a status that may be changed, and where in
	// that status is what kinds share.
	Edit func(Object) (Object, Fields)
	// Own fills what the kind alone has in its status. Nil if that is nothing.
	Own func(Object)
	// Gone is told of an object that is gone. Nil if nothing is to be done then.
	Gone func(types.NamespacedName)
	// Write stores the status of an object.
	Write func(context.Context, Object) error
	// Conditions are the types of those that this kind alone has.
	Conditions []string
}

// Object is one of a kind.
type Object interface {
	metav1.Object
	runtime.Object
}

// Fields point into the status of an object.
type Fields struct {
	// Status is all of it.
	Status any
	// Conditions are its conditions.
	Conditions *[]metav1.Condition
	// Proxies are its counts. Nil for a kind that is no proxy's: it has no condition
	// Programmed either.
	Proxies **v1alpha1.ProxyCounts
}
