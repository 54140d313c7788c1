// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"
)

var errNotApplied = errors.New("the caBundles have not been looked at yet")

// reconcile takes one look at the Secret and the targets, does what is due while Lead
// runs, and gives the time until something will be due by itself.
func (s *Serving) reconcile(ctx context.Context) (time.Duration, error) {
	secret, c, err := s.read(ctx)
	if err != nil {
		return 0, err
	}
	s.use(ctx, c)
	if !s.leading.Load() {
		return 0, s.publish(ctx, c.bundle(), false)
	}

	now := time.Now()
	if c.next == nil && !now.Before(c.renewAt()) {
		fresh, err := generate(s.names, now)
		if err != nil {
			return 0, err
		}
		if secret, c, err = s.update(ctx, secret, c.prepare(fresh)); err != nil {
			return 0, err
		}
		klog.FromContext(ctx).Info("Renewing the serving pair", "notAfter", c.current.leaf.NotAfter)
		s.use(ctx, c)
	}

	if err := s.publish(ctx, c.bundle(), true); err != nil {
		return 0, err
	}
	if c.next == nil {
		return c.renewAt().Sub(now), nil
	}
	if wait := c.promoteAt().Sub(now); wait > 0 {
		return wait, nil
	}
	if _, c, err = s.update(ctx, secret, c.promote()); err != nil {
		return 0, err
	}
	s.use(ctx, c)
	return c.renewAt().Sub(now), nil
}

// publish returns without error once every target that exists has been seen with the
// bundle; without write it looks only. A target that does not exist is served when it
// comes.
func (s *Serving) publish(ctx context.Context, bundle []byte, write bool) error {
	var missing []error
	for _, t := range s.targets {
		seen, err := t.ensure(ctx, bundle, write)
		if err == nil && !seen && write {
			seen, err = t.ensure(ctx, bundle, write)
		}
		switch {
		case apierrors.IsNotFound(err):
			klog.FromContext(ctx).V(2).Info("Nothing to give a caBundle to yet", "object", t.String())
		case err != nil:
			missing = append(missing, err)
		case !seen:
			missing = append(missing, fmt.Errorf("%s does not show the caBundle of the serving pair", t))
		}
	}
	err := errors.Join(missing...)
	s.mu.Lock()
	s.missing = err
	s.mu.Unlock()
	return err
}
