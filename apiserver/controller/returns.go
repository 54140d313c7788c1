// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Accounts of one namespace that were deleted may come back so many at once, and then
// one each returnEvery; none waits longer than longestReturn, so that a namespace with
// many accounts is soon restored. An account that goes ends the TCP connections of all
// callers to the ports that admit it, and those ports are other tenants'.
const (
	returnsAtOnce = 30
	returnEvery   = 10 * time.Second
	longestReturn = time.Minute
)

// returns are accounts that policies admit, and that were deleted while this server
// runs. An account that comes back sooner than its namespace may is held: to
// policies it does not exist yet.
type returns struct {
	gone map[world.Key]struct{}
	// held has nil for one that was deleted again meanwhile.
	held    map[world.Key]*corev1.ServiceAccount
	budgets map[string]*rate.Limiter

	now func() time.Time
}

func newReturns() returns {
	return returns{gone: map[world.Key]struct{}{}, held: map[world.Key]*corev1.ServiceAccount{}, budgets: map[string]*rate.Limiter{}, now: time.Now}
}

// wait is how long the next account of a namespace has to wait.
func (r *returns) wait(namespace string) time.Duration {
	budget := r.budgets[namespace]
	if budget == nil {
		budget = rate.NewLimiter(rate.Every(returnEvery), returnsAtOnce)
		r.budgets[namespace] = budget
	}
	now := r.now()
	turn := budget.ReserveN(now, 1)
	wait := turn.DelayFrom(now)
	if wait > longestReturn {
		turn.CancelAt(now)
		return longestReturn
	}
	return wait
}

// accountHandler feeds the world with accounts.
func accountHandler(in *inbox) cache.ResourceEventHandler {
	later := func(wait time.Duration, then event) { time.AfterFunc(wait, func() { in.put(then) }) }
	return stateHandler(in.put,
		func(s *state, account *corev1.ServiceAccount) { s.setAccount(account, later) },
		(*state).deleteAccount)
}

func (s *state) setAccount(account *corev1.ServiceAccount, later func(time.Duration, event)) {
	key := world.Key{Namespace: account.Namespace, Name: account.Name}
	if _, held := s.returns.held[key]; held {
		s.returns.held[key] = account
		return
	}
	if _, back := s.returns.gone[key]; back {
		delete(s.returns.gone, key)
		if wait := s.returns.wait(key.Namespace); wait > 0 {
			s.returns.held[key] = account
			later(wait, func(s *state) { s.releaseAccount(key) })
			return
		}
	}
	s.World.SetServiceAccount(account)
}

func (s *state) releaseAccount(key world.Key) {
	account := s.returns.held[key]
	delete(s.returns.held, key)
	if account == nil {
		s.returns.gone[key] = struct{}{}
		return
	}
	s.World.SetServiceAccount(account)
}

func (s *state) deleteAccount(key world.Key) {
	if _, held := s.returns.held[key]; held {
		s.returns.held[key] = nil
		return
	}
	if s.World.Reader().Admitted(world.Reference{Kind: world.KindServiceAccount, Key: key}) {
		s.returns.gone[key] = struct{}{}
	}
	s.World.DeleteServiceAccount(key)
}
