// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"sync"
)

// where says which replicas of the server run a part.
type where int

const (
	// everyReplica is for what answers callers, or follows what the leader does.
	everyReplica where = iota
	// leaderAlone is for what only one replica may do: a part that writes what all
	// replicas would write alike or, worse, differently. It runs from the moment at which
	// this replica begins to lead until it leads no more, perhaps again and again, so
	// nothing that callers need may wait for it.
	leaderAlone
)

// components are the parts that run beside the API, from its start until it
// takes no more requests.
type components struct {
	fail    func(error)
	parts   map[where][]component
	running sync.WaitGroup
}

type component struct {
	name string
	run  func(context.Context) error
}

func (c *components) add(on where, name string, run func(context.Context) error) {
	if c.parts == nil {
		c.parts = map[where][]component{}
	}
	c.parts[on] = append(c.parts[on], component{name, run})
}

// start runs every part until ctx ends. lead calls its argument while this replica
// leads. A part that ends with an error takes the server with it: half a control
// plane is worse than a restart.
func (c *components) start(ctx context.Context, lead func(context.Context, func(context.Context)) error) {
	c.goRun(ctx, &c.running, everyReplica)
	c.running.Go(func() {
		c.run(ctx, component{"leader election", func(ctx context.Context) error {
			return lead(ctx, func(term context.Context) {
				var running sync.WaitGroup
				c.goRun(term, &running, leaderAlone)
				running.Wait()
			})
		}})
	})
}

func (c *components) goRun(ctx context.Context, running *sync.WaitGroup, on where) {
	for _, part := range c.parts[on] {
		running.Go(func() { c.run(ctx, part) })
	}
}

func (c *components) run(ctx context.Context, part component) {
	if err := part.run(ctx); err != nil && ctx.Err() == nil {
		c.fail(fmt.Errorf("%s: %w", part.name, err))
	}
}

func (c *components) wait() { c.running.Wait() }
