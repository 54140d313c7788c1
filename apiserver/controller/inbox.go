// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"sync"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
)

// event is a change to what the loop knows.
type event func(*state)

// state is what the loop has.
type state struct {
	*engine.Engine
	// rooted is set once it has certificates that workloads trust.
	rooted bool
	// stored is set if objects of our own kinds have changed since the last step.
	stored bool
	// returns are accounts that were deleted, and may come back.
	returns returns
}

// inbox holds events until the loop takes them, all at once. It takes any
// number: informers must not be held up.
type inbox struct {
	mu     sync.Mutex
	events []event
	// wake has a value in it whenever there are events, or the reader has more to do.
	wake chan struct{}
}

func newInbox() *inbox {
	return &inbox{wake: make(chan struct{}, 1)}
}

func (i *inbox) put(e event) {
	i.mu.Lock()
	i.events = append(i.events, e)
	queueLength.Set(float64(len(i.events)))
	i.mu.Unlock()
	i.poke()
}

// poke wakes the reader, also where no event waits.
func (i *inbox) poke() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

func (i *inbox) take() []event {
	i.mu.Lock()
	defer i.mu.Unlock()
	events := i.events
	i.events = nil
	queueLength.Set(0)
	return events
}
