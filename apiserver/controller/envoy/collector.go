// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	"fmt"
	"slices"
)

// collector gathers resources until the first error.
type collector struct {
	resources []Resource
	err       error
}

func (c *collector) add(r Resource, err error) { c.addAll([]Resource{r}, err) }

func (c *collector) addAll(rs []Resource, err error) {
	if c.err != nil || err != nil {
		c.err = cmp.Or(c.err, err)
		return
	}
	c.resources = append(c.resources, rs...)
}

// result gives the resources sorted by type, then name.
func (c *collector) result(of string) ([]Resource, error) {
	if c.err != nil {
		return nil, fmt.Errorf("make resources of %s: %w", of, c.err)
	}
	slices.SortFunc(c.resources, compare)
	return c.resources, nil
}

func compare(a, b Resource) int {
	return cmp.Or(cmp.Compare(a.TypeURL, b.TypeURL), cmp.Compare(a.Name, b.Name), cmp.Compare(a.View, b.View))
}
