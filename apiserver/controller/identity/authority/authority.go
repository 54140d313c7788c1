// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package authority holds the root that the mesh signs with, and keeps the
// ClusterTrustBundle equal to it. It makes a root once in the life of a mesh: a
// root that is gone after it was published stops issuing until it is restored.
package authority

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/trustbundle"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// ErrRootLost says that the root's Secret is gone though its certificate was
// published. A new root would cut off everybody who trusts the old one, so none
// is made.
var ErrRootLost = errors.New("Secret " + root.SecretName + " is gone but ClusterTrustBundle " + model.TrustBundle +
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

	mu    sync.RWMutex
	state state

	// telling is held while listeners are called, outside of mu, so that they see
	// changes in their order and may ask the Authority.
	telling   sync.Mutex
	listeners []func(roots []byte)
}

// state is what the last reconciliation found.
type state struct {
	// root is nil while fault says why nothing can be signed.
	root  *root.Root
	fault error
	// bundle is what the ClusterTrustBundle holds, PEM; trust is the same, parsed.
	bundle []byte
	trust  *x509.CertPool
}

// New makes an Authority for the root in a system namespace. Changes for the
// worse are told to the recorder as Events on the root's Secret.
func New(client kubernetes.Interface, systemNamespace string, recorder events.EventRecorder) *Authority {
	return &Authority{client: client, namespace: systemNamespace, recorder: recorder, state: state{fault: errNotRead, trust: x509.NewCertPool()}}
}

// Issuer is what signs leaves now, or the reason why nothing may be signed.
func (a *Authority) Issuer() (leaf.Issuer, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.state.fault != nil {
		return leaf.Issuer{}, a.state.fault
	}
	return a.state.root.Issuer(), nil
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
// repair: it creates the root if there never was one, and publishes it. Only a
// fault that another try may cure is an error; a root that is lost, unusable or
// exchanged becomes the state.
//
// The bundle is read before the Secret: whoever publishes creates the Secret
// first, so that a bundle without a Secret is never another server halfway.
func (a *Authority) Reconcile(ctx context.Context) error {
	bundle, err := trustbundle.Get(ctx, a.client)
	if err != nil {
		return err
	}
	var published []byte
	if bundle != nil {
		published = []byte(bundle.Spec.TrustBundle)
	}
	r, err := root.Get(ctx, a.client, a.namespace)
	if apierrors.IsNotFound(err) {
		if bundle != nil {
			a.enter(ctx, state{fault: ErrRootLost, bundle: published})
			return nil
		}
		r, err = root.Create(ctx, a.client, a.namespace, time.Now())
	}
	if errors.Is(err, root.ErrUnusable) {
		a.enter(ctx, state{fault: err, bundle: published})
		return nil
	}
	if err != nil {
		return err
	}
	fresh := bundle == nil
	bundle, err = trustbundle.Publish(ctx, a.client, bundle, r)
	if fresh && apierrors.IsNotFound(err) {
		// There is nothing that could be missing but the kind itself.
		a.enter(ctx, state{fault: errNotServed, bundle: r.PEM()})
		return err
	}
	if errors.Is(err, trustbundle.ErrRootExchanged) {
		a.enter(ctx, state{fault: err, bundle: published})
		return nil
	}
	if err != nil {
		return err
	}
	a.enter(ctx, state{root: r, bundle: []byte(bundle.Spec.TrustBundle)})
	return nil
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
		klog.FromContext(ctx).Info("The root is ready to sign", "fingerprint", next.root.Fingerprint(), "notAfter", next.root.NotAfter())
	case next.fault != nil && (last.fault == nil || last.fault.Error() != next.fault.Error()):
		klog.FromContext(ctx).Error(next.fault, "No certificate is issued")
		secret := &corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: a.namespace, Name: root.SecretName}
		a.recorder.Eventf(secret, nil, corev1.EventTypeWarning, "IssuingStopped", "Issue", "%v", next.fault)
	}
}

// Known is an error until root and bundle have been read once. A root that was
// read and cannot sign is known: only its owner can put that right.
func (a *Authority) Known() error {
	if _, err := a.Issuer(); errors.Is(err, errNotRead) {
		return err
	}
	return nil
}

// Ready tells why no certificate can be issued, nil if they can.
func (a *Authority) Ready() error {
	if _, err := a.Issuer(); err != nil {
		return fmt.Errorf("no certificate is issued: %w", err)
	}
	return nil
}
