// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"context"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/trustbundle"
)

// look is how often a renewal that waits for proxies or time is looked at.
const look = 2 * time.Second

// Renewal is what the root's renewal waits for.
type Renewal struct {
	// PublishFor is how long a next root is published before it signs.
	PublishFor time.Duration
	// Lacking names the connected proxies that have not ACKed a certificate, PEM. It
	// is asked only while Run runs.
	Lacking func(certificate []byte) []string
}

// errUnrecorded holds up a leaf until the Secret says how long what the root has
// signed may live: a renewal trusts the root for as long.
var errUnrecorded = errors.New("the root's Secret does not say yet that leaves live that long")

// renew takes at most one step of the renewal. A step that another server was faster
// with is an error that satisfies apierrors.IsConflict.
func (a *Authority) renew(ctx context.Context, k root.Kept, bundle *certificatesv1.ClusterTrustBundle) (root.Kept, error) {
	facts := a.facts(ctx, k.Keyring, bundle)
	step := k.Decide(facts)
	if step == root.Hold {
		return k, nil
	}
	next, err := k.After(step, facts)
	if err != nil {
		return k, err
	}
	updated, err := k.Update(ctx, a.client, next)
	if err != nil {
		return k, fmt.Errorf("renew the root, step %s: %w", step, err)
	}
	a.tell(ctx, step, k.Keyring, updated.Keyring)
	return updated, nil
}

func (a *Authority) facts(ctx context.Context, k root.Keyring, bundle *certificatesv1.ClusterTrustBundle) root.Facts {
	f := root.Facts{
		Now:        time.Now(),
		PublishFor: a.renewal.PublishFor,
		Published:  trustbundle.IsWhole(bundle, k),
	}
	a.mu.RLock()
	f.Serving, f.Asked = a.serving, a.asked
	a.mu.RUnlock()
	if k.Next != nil {
		lacking := a.renewal.Lacking(k.Next.PEM())
		f.Waiting = len(lacking)
		if f.IsOverdue(k) {
			a.tellOverdue(ctx, k.Next, lacking)
		}
	}
	waiting.Set(float64(f.Waiting))
	return f
}

// tellOverdue says once a next root, in the life of this server, who holds it up.
func (a *Authority) tellOverdue(ctx context.Context, next *root.Root, lacking []string) {
	if a.overdue == next.Fingerprint() {
		return
	}
	a.overdue = next.Fingerprint()
	some := lacking[:min(len(lacking), 5)]
	klog.FromContext(ctx).Info("The root's renewal waits for proxies", "count", len(lacking), "some", some)
	a.event(corev1.EventTypeWarning, "RootRenewalWaits", "Renew", "%d connected proxies have not acknowledged the next root, such as %v", len(lacking), some)
}

// tell logs a step, and makes an Event of what its operator wants to know.
func (a *Authority) tell(ctx context.Context, step root.Step, before, after root.Keyring) {
	klog.FromContext(ctx).Info("Renewal of the root", "step", step, "phase", after.Phase(), "signing", after.Signing.Fingerprint())
	switch step {
	case root.Begin:
		a.event(corev1.EventTypeNormal, "RootRenewalBegun", "Renew", "a next root, %.16s, is made known; it signs when every proxy has it", after.Next.Fingerprint())
	case root.Promote:
		a.event(corev1.EventTypeNormal, "RootRenewed", "Renew", "%.16s signs instead of %.16s, which stays trusted until %s; copy the Secret",
			after.Signing.Fingerprint(), before.Signing.Fingerprint(), after.Until.UTC().Format(time.RFC3339))
	case root.Retire:
		a.event(corev1.EventTypeNormal, "RootRetired", "Renew", "%.16s is trusted no more", root.Fingerprint(before.Previous.Raw))
	}
}

func (a *Authority) event(kind, reason, action, note string, args ...any) {
	secret := &corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: a.namespace, Name: root.SecretName}
	a.recorder.Eventf(secret, nil, kind, reason, action, note, args...)
}

// again is when to reconcile next though nothing changes; zero: never.
func (a *Authority) again() time.Duration {
	a.mu.RLock()
	defer a.mu.RUnlock()
	switch k := a.state.ring; {
	case a.state.fault != nil:
		return 0
	case k.Phase() == root.Spreading:
		return look
	case k.Phase() == root.Retiring:
		return max(look, time.Until(k.Until))
	default:
		return 0
	}
}
