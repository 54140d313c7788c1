// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/wait"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/membership"
)

const (
	// Live reads of Namespaces in a second, and at once. The informer is milliseconds
	// behind, so few are needed; but whoever reaches the webhook's port can name what is
	// not there.
	liveNamespacesRate  = 10
	liveNamespacesBurst = 20
	// readAgain is how soon a name is read live again at the earliest.
	readAgain = time.Second
	// namespacePatience is how long a review waits for the informer or a live read. The
	// API server waits 5 s for the answer.
	namespacePatience = 2 * time.Second
	// namespaceLook is how often a review that waits looks.
	namespaceLook = 20 * time.Millisecond
)

// namespaces knows the labels of Namespaces that take pods into the mesh. Of all
// others it says one and the same, so that who makes up names does not learn which of
// them are there.
type namespaces struct {
	system string
	lister corelisters.NamespaceLister
	live   func(ctx context.Context, name string) (*corev1.Namespace, error)
	limit  *rate.Limiter
	// patience is a constant but in tests.
	patience time.Duration

	mu sync.Mutex
	// reads are the last live reads, by name. The limit bounds them: older ones than
	// readAgain are dropped.
	reads map[string]*liveRead
}

// liveRead is a live read of a Namespace, under way or done.
type liveRead struct {
	began time.Time
	done  bool
	// namespace is nil if there was none.
	namespace *corev1.Namespace
}

func newNamespaces(c *clients, systemNamespace string) *namespaces {
	return &namespaces{
		system: systemNamespace,
		lister: c.hostInformers.Core().V1().Namespaces().Lister(),
		live: func(ctx context.Context, name string) (*corev1.Namespace, error) {
			return c.host.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		},
		limit:    rate.NewLimiter(liveNamespacesRate, liveNamespacesBurst),
		patience: namespacePatience,
		reads:    map[string]*liveRead{},
	}
}

// labels gives the labels of a namespace that takes a pod with these labels. The API
// server asks about such pods alone, and may know of a namespace before the informer
// does. So where that has none, a live read decides that began after the question
// came; until one may, the review waits, and the informer may bring the namespace.
func (n *namespaces) labels(ctx context.Context, name string, pod map[string]string) (map[string]string, error) {
	if len(validation.IsDNS1123Label(name)) > 0 {
		return nil, errNoNamespace(name)
	}
	asked := time.Now()
	var found *corev1.Namespace
	var fault error
	undecided := wait.PollUntilContextTimeout(ctx, namespaceLook, n.patience, true, func(ctx context.Context) (decided bool, err error) {
		if found, err = n.lister.Get(name); err == nil && membership.Selected(*found, pod, n.system) {
			return true, nil
		}
		found, decided, fault = n.readLive(ctx, name, asked)
		return decided || fault != nil, nil
	})
	switch {
	case fault != nil:
		return nil, fault
	case undecided != nil || found == nil || !membership.Selected(*found, pod, n.system):
		return nil, errNoNamespace(name)
	default:
		return found.Labels, nil
	}
}

// errNoNamespace is said of every namespace that takes no such pod, be it there or not.
func errNoNamespace(name string) error {
	return fmt.Errorf("namespace %q is not there, or takes no such pod into the mesh; if it was made just now, try again", name)
}

// readLive gives what a live read found that began after a time, nil if there is no
// such namespace, once there is such a read; it reads itself if that is due.
func (n *namespaces) readLive(ctx context.Context, name string, after time.Time) (found *corev1.Namespace, decided bool, err error) {
	n.mu.Lock()
	last, now := n.reads[name], time.Now()
	if last != nil && last.done && !last.began.Before(after) {
		defer n.mu.Unlock()
		return last.namespace, true, nil
	}
	if last != nil && (!last.done || now.Sub(last.began) < readAgain) || !n.limit.AllowN(now, 1) {
		n.mu.Unlock()
		return nil, false, nil
	}
	maps.DeleteFunc(n.reads, func(_ string, r *liveRead) bool { return r.done && now.Sub(r.began) >= readAgain })
	read := &liveRead{began: now}
	n.reads[name] = read
	n.mu.Unlock()

	found, err = n.live(ctx, name)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil:
		read.namespace = found
	case !apierrors.IsNotFound(err):
		delete(n.reads, name)
		return nil, false, fmt.Errorf("read namespace %s: %w", name, err)
	}
	read.done = true
	return read.namespace, true, nil
}
