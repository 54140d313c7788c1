// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kind_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What a live kind would say of each of 1,000 proxies, of which a step of the
// controller changes 100. docs/decisions/live-kinds.md has the numbers.
const (
	benchProxies = 1000
	benchChanged = 100
)

type benchProxy struct {
	name        string
	sent, acked [6]uint64
}

func benchWorld() []*benchProxy {
	world := make([]*benchProxy, benchProxies)
	for i := range world {
		world[i] = &benchProxy{name: fmt.Sprintf("web-%d", i)}
	}
	return world
}

// objects are what a list answers.
func benchObjects(world []*benchProxy) []*unstructured.Unstructured {
	objects := make([]*unstructured.Unstructured, len(world))
	for i, proxy := range world {
		object := &unstructured.Unstructured{Object: map[string]any{}}
		object.SetName(proxy.name)
		object.SetCreationTimestamp(metav1.Time{})
		object.Object["status"] = map[string]any{"sent": proxy.sent, "acked": proxy.acked}
		objects[i] = object
	}
	return objects
}

// inPlace is a step of a loop that nothing but itself reads.
func inPlace(world []*benchProxy, step int) {
	for i := range benchChanged {
		world[(step+i)%benchProxies].sent[0]++
	}
}

// copied is a step that leaves the last one's world as it was.
func copied(world []*benchProxy, step int) []*benchProxy {
	next := append([]*benchProxy(nil), world...)
	for i := range benchChanged {
		at := (step + i) % benchProxies
		proxy := *next[at]
		proxy.sent[0]++
		next[at] = &proxy
	}
	return next
}

func BenchmarkStep(b *testing.B) {
	b.Run("in place", func(b *testing.B) {
		b.ReportAllocs()
		world := benchWorld()
		for step := 0; b.Loop(); step++ {
			inPlace(world, step)
		}
	})
	b.Run("snapshot", func(b *testing.B) {
		b.ReportAllocs()
		var shown atomic.Pointer[[]*benchProxy]
		world := benchWorld()
		for step := 0; b.Loop(); step++ {
			world = copied(world, step)
			shown.Store(&world)
		}
	})
}

// BenchmarkQuestion is how long a list holds the loop up that asks its goroutine.
// Beside that the list waits until the step under way ends.
func BenchmarkQuestion(b *testing.B) {
	b.Run("answered with objects", func(b *testing.B) {
		b.ReportAllocs()
		for world := benchWorld(); b.Loop(); {
			benchObjects(world)
		}
	})
	b.Run("answered with a copy", func(b *testing.B) {
		b.ReportAllocs()
		for world := benchWorld(); b.Loop(); {
			copies := make([]benchProxy, len(world))
			for i, proxy := range world {
				copies[i] = *proxy
			}
		}
	})
}
