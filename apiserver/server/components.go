// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"sync"
)

// components are the parts that run beside the API, from its start until it
// takes no more requests.
type components struct {
	fail    func(error)
	list    []component
	running sync.WaitGroup
}

type component struct {
	name string
	run  func(context.Context) error
}

func (c *components) add(name string, run func(context.Context) error) {
	c.list = append(c.list, component{name, run})
}

// start runs every part until ctx ends. A part that ends with an error takes
// the server with it: half a control plane is worse than a restart.
func (c *components) start(ctx context.Context) {
	for _, part := range c.list {
		c.running.Go(func() {
			if err := part.run(ctx); err != nil && ctx.Err() == nil {
				c.fail(fmt.Errorf("%s: %w", part.name, err))
			}
		})
	}
}

func (c *components) wait() { c.running.Wait() }
