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
	return engineHandler(in.put,
		func(e *engine, account *corev1.ServiceAccount) { e.setAccount(account, later) },
		(*engine).deleteAccount)
}

func (e *engine) setAccount(account *corev1.ServiceAccount, later func(time.Duration, event)) {
	key := world.Key{Namespace: account.Namespace, Name: account.Name}
	if _, held := e.returns.held[key]; held {
		e.returns.held[key] = account
		return
	}
	if _, back := e.returns.gone[key]; back {
		delete(e.returns.gone, key)
		if wait := e.returns.wait(key.Namespace); wait > 0 {
			e.returns.held[key] = account
			later(wait, func(e *engine) { e.releaseAccount(key) })
			return
		}
	}
	e.world.SetServiceAccount(account)
}

func (e *engine) releaseAccount(key world.Key) {
	account := e.returns.held[key]
	delete(e.returns.held, key)
	if account == nil {
		e.returns.gone[key] = struct{}{}
		return
	}
	e.world.SetServiceAccount(account)
}

func (e *engine) deleteAccount(key world.Key) {
	if _, held := e.returns.held[key]; held {
		e.returns.held[key] = nil
		return
	}
	if e.world.Admitted(world.Reference{Kind: world.KindServiceAccount, Key: key}) {
		e.returns.gone[key] = struct{}{}
	}
	e.world.DeleteServiceAccount(key)
}
