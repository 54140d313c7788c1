// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package authority holds the root that the mesh signs with, and keeps the
// ClusterTrustBundle equal to it. It makes a root once in the life of a mesh, and
// renews it step by step; a root that is gone after it was published stops issuing
// until it is restored.
package authority

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/trustbundle"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// ErrRootLost says that the root's Secret is gone though its certificate was
// published. A new root would cut off everybody who trusts the old one, so none
// is made.
var ErrRootLost = errors.New("Secret " + root.SecretName + " is gone but ClusterTrustBundle " + sidecar.TrustBundle +
	" still publishes its certificate: restore the Secret, or delete the ClusterTrustBundle to begin again with a new root")

// errNotServed says that the host has no place to publish the root. Listeners get
// it all the same: the mesh's objects have a status without any pod in the mesh.
var errNotServed = errors.New("the host does not serve ClusterTrustBundle in certificates.k8s.io/v1")

var errNotRead = errors.New("the root has not been read yet")

// Authority is safe for concurrent use.
type Authority struct {
	client    kubernetes.Interface
	namespace string
	recorder  events.EventRecorder
	renewal   Renewal
	database  DatabaseFunc
	queue     workqueue.TypedRateLimitingInterface[string]

	// leading is set while Lead runs.
	leading atomic.Bool

	mu      sync.RWMutex
	state   state
	verdict verdict
	// serving is since when Run runs.
	serving time.Time
	// asked is the longest life of a leaf that was asked for and not recorded.
	asked time.Duration
	// overdue is the next root of which it was said that proxies hold it up. Reconcile
	// alone uses it.
	overdue string

	// telling is held while listeners are called, outside of mu, so that they see
	// changes in their order and may ask the Authority.
	telling   sync.Mutex
	listeners []func(roots []byte)
	judged    []func()
}

// state is what the last reconciliation found.
type state struct {
	// ring is zero while fault says why nothing can be signed.
	ring  root.Keyring
	fault error
	// bundle is what the ClusterTrustBundle holds, PEM; trust is the same, parsed.
	bundle []byte
	trust  *x509.CertPool
}

// New makes an Authority for the root in a system namespace, whose Secret also
// remembers the database. Changes for the worse, and the steps of a renewal, are
// told to the recorder as Events on the Secret.
func New(client kubernetes.Interface, systemNamespace string, renewal Renewal, database DatabaseFunc, recorder events.EventRecorder) *Authority {
	return &Authority{
		client:    client,
		namespace: systemNamespace,
		recorder:  recorder,
		renewal:   renewal,
		database:  database,
		queue:     workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 30*time.Second)),
		state:     state{fault: errNotRead, trust: x509.NewCertPool()},
		verdict:   verdict{fault: errUnread},
	}
}

// CA is what signs leaves of a life now, or the reason why none may be signed.
// A life that is longer than all before is recorded first, so it must be asked for
// again.
func (a *Authority) CA(life time.Duration) (leaf.CA, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state.fault != nil {
		return leaf.CA{}, a.state.fault
	}
	if life > a.state.ring.Longest {
		a.asked = max(a.asked, life)
		a.queue.Add(item)
		return leaf.CA{}, errUnrecorded
	}
	return a.state.ring.Signing.CA(), nil
}

// Issue signs a workload's certificate, by the root itself.
func (a *Authority) Issue(_ context.Context, wanted leaf.Request) (chain [][]byte, err error) {
	ca, err := a.CA(wanted.Validity.Life())
	if err != nil {
		return nil, err
	}
	der, err := ca.Issue(wanted)
	if err != nil {
		return nil, err
	}
	return [][]byte{der}, nil
}

// fault is why nothing may be signed, nil if leaves may.
func (a *Authority) fault() error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.state.fault
}

// Roots are the trust anchors as they are published, PEM; nil before the first
// reconciliation. They stay known when the root's key is lost.
func (a *Authority) Roots() []byte {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.state.bundle
}

// Trust holds what Roots does, for verifying; it is empty before the first
// reconciliation, and never changed.
func (a *Authority) Trust() *x509.CertPool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.state.trust
}

// OnRoots calls f with the roots, PEM, after every change of them, and at once if
// they are known. Calls are never concurrent; f must not block.
func (a *Authority) OnRoots(f func(roots []byte)) {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.listeners = append(a.listeners, f)
	if roots := a.Roots(); roots != nil {
		f(roots)
	}
}

// Reconcile reads root and bundle from the API server and repairs what is its to
// repair: it creates the root if there never was one, takes a step of its renewal
// while Lead runs, and publishes, before Run and while Lead runs. Only a fault that another try may cure is an error;
// a root that is lost, unusable or exchanged becomes the state.
//
// The bundle is read before the Secret: whoever publishes writes the Secret
// first, so that a bundle without a Secret is never another server halfway, and what
// the Secret says is never older than the bundle that is put right by it.
func (a *Authority) Reconcile(ctx context.Context) error {
	bundle, err := trustbundle.Get(ctx, a.client)
	if err != nil {
		return err
	}
	var published []byte
	if bundle != nil {
		published = []byte(bundle.Spec.TrustBundle)
	}
	k, err := root.Get(ctx, a.client, a.namespace)
	if apierrors.IsNotFound(err) {
		if bundle != nil {
			a.enter(ctx, state{fault: ErrRootLost, bundle: published})
			return nil
		}
		k, err = a.create(ctx)
	}
	if errors.Is(err, root.ErrUnusable) {
		a.enter(ctx, state{fault: err, bundle: published})
		return nil
	}
	if err != nil {
		return err
	}
	// Before anything is signed, so that no proxy connects to what an empty database
	// would give it.
	if k, err = a.confirm(ctx, k); err != nil {
		return err
	}
	// The renewal must not hold up what is signed now: a Secret that may not be
	// written is an error only after the rest is done.
	var renewing error
	if a.leading.Load() {
		if k, renewing = a.renew(ctx, k, bundle); apierrors.IsConflict(renewing) {
			return renewing
		}
	}
	fresh := bundle == nil
	bundle, err = a.publish(ctx, bundle, k.Keyring)
	if fresh && apierrors.IsNotFound(err) {
		// There is nothing that could be missing but the kind itself.
		a.enter(ctx, state{fault: errNotServed, bundle: k.PEM()})
		return err
	}
	if errors.Is(err, trustbundle.ErrRootExchanged) {
		a.enter(ctx, state{fault: err, bundle: published})
		return nil
	}
	if err != nil {
		return err
	}
	a.enter(ctx, state{ring: k.Keyring, bundle: []byte(bundle.Spec.TrustBundle)})
	return renewing
}

// publish gives the bundle as it is to be, and writes it where that is this server's to
// do: at the start, since listeners come after it, and while it leads. Another leader
// writes the same, from the same Secret.
func (a *Authority) publish(ctx context.Context, current *certificatesv1.ClusterTrustBundle, k root.Keyring) (*certificatesv1.ClusterTrustBundle, error) {
	if !a.runs() || a.leading.Load() {
		return trustbundle.Publish(ctx, a.client, current, k)
	}
	want, err := trustbundle.Plan(current, k)
	if want == nil {
		want = current
	}
	return want, err
}

// create makes the root of a new mesh, whose database is the present one.
func (a *Authority) create(ctx context.Context) (root.Kept, error) {
	present, err := a.database(ctx)
	if err != nil {
		return root.Kept{}, err
	}
	return root.Create(ctx, a.client, a.namespace, time.Now(), present.ID)
}

// enter makes a state the present one and tells those who listen.
func (a *Authority) enter(ctx context.Context, next state) {
	next.trust = x509.NewCertPool()
	next.trust.AppendCertsFromPEM(next.bundle)

	a.telling.Lock()
	defer a.telling.Unlock()
	a.mu.Lock()
	last := a.state
	a.state = next
	a.mu.Unlock()
	observe(next)
	if !slices.Equal(last.bundle, next.bundle) {
		for _, f := range a.listeners {
			f(next.bundle)
		}
	}
	switch {
	case next.fault == nil && last.fault != nil:
		klog.FromContext(ctx).Info("The root is ready to sign", "fingerprint", next.ring.Signing.Fingerprint(), "notAfter", next.ring.Signing.NotAfter())
	case next.fault != nil && (last.fault == nil || last.fault.Error() != next.fault.Error()):
		klog.FromContext(ctx).Error(next.fault, "No certificate is issued")
		a.event(corev1.EventTypeWarning, "IssuingStopped", "Issue", "%v", next.fault)
	}
}

// Known is an error until root and bundle have been read once. A root that was
// read and cannot sign is known: only its owner can put that right.
func (a *Authority) Known() error {
	if err := a.fault(); errors.Is(err, errNotRead) {
		return err
	}
	return nil
}

// Ready tells why no certificate can be issued, nil if they can.
func (a *Authority) Ready() error {
	if err := a.fault(); err != nil {
		return fmt.Errorf("no certificate is issued: %w", err)
	}
	return nil
}
