// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

// TestNothingIsLeftOfObjectsThatAreGone makes and deletes objects at random, then deletes
// all, and compares the sizes of all maps of the world and the engine with those of an
// engine that never had an object.
func TestNothingIsLeftOfObjectsThatAreGone(t *testing.T) {
	fresh := loaded(nil)
	fresh.step(t.Context())
	random := chance{rand.New(rand.NewPCG(11, 0))}
	e := loaded(nil)
	objects := map[string]metav1.Object{}
	for range 300 {
		random.change(e.World, objects)
		e.step(t.Context())
	}
	for _, object := range objects {
		worldtest.Delete(e.World, object)
	}
	e.step(t.Context())
	// A derived value that is read no more is dropped when it would be made anew.
	e.TouchAll()
	e.step(t.Context())
	if diff := cmp.Diff(sizes(fresh.Engine), sizes(e.Engine)); diff != "" {
		t.Errorf("what is left (-of nothing +of objects that are gone):\n%s", diff)
	}
}

// sizes are the lengths of all maps that lead from a value, by the way to them.
func sizes(of any) map[string]int {
	found := map[string]int{}
	seen := map[uintptr]bool{}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			walk(path, v.Elem())
		case reflect.Interface:
			if !v.IsNil() {
				walk(path, v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Map:
			// Declarations of derived values are constants.
			if v.Len() > 0 && path != ".World.derived" {
				found[path] = v.Len()
			}
			if path == ".World.derived" {
				for _, key := range v.MapKeys() {
					walk(fmt.Sprintf("%s[%s]", path, v.MapIndex(key).Elem().Type()), v.MapIndex(key))
				}
			}
		}
	}
	walk("", reflect.ValueOf(of))
	return found
}
