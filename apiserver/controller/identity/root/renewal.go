// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"fmt"
	"time"
)

// DefaultPublishFor is how long the trust bundle holds a next root before that may
// sign: kubelets write bundles into pods about once a minute, and nobody tells
// when they have.
const DefaultPublishFor = 5 * time.Minute

// reconnect is how long proxies may take to come back to a server that has just
// started; Envoy's backoff ends at 30 s.
const reconnect = time.Minute

// clockSkew is added to the time that a previous root stays trusted: for servers
// that have not heard yet that it signs no more, and for clocks that are behind.
const clockSkew = 15 * time.Minute

// Facts are what a renewal depends on and the Secret does not say.
type Facts struct {
	Now time.Time
	// Serving is since when proxies could connect to this server; zero: they cannot.
	Serving time.Time
	// PublishFor is how long a next root is published before it may sign.
	PublishFor time.Duration
	// Published tells that the trust bundle holds every certificate of the keyring.
	Published bool
	// Waiting counts the connected proxies that have not ACKed Next.
	Waiting int
	// Asked is the longest life of a leaf that somebody wants signed.
	Asked time.Duration
}

// Step is one change of a Keyring. Each is written before the next is decided on,
// so a server that ends between two goes on where it was.
type Step string

// The steps. Lengthen records that a longer leaf will be signed; Begin makes a next
// root; Note and Forget write since when it is published, or that it is no more;
// Promote makes it sign; Schedule says how long the previous root stays, if that was
// lost; Retire ends it.
const (
	Hold     Step = ""
	Lengthen Step = "Lengthen"
	Begin    Step = "Begin"
	Note     Step = "Note"
	Forget   Step = "Forget"
	Promote  Step = "Promote"
	Schedule Step = "Schedule"
	Retire   Step = "Retire"
)

// Decide gives the one step to take now. Renewals do not overlap: one that is asked
// for begins when the previous root has left.
func (k Keyring) Decide(f Facts) Step {
	switch {
	case f.Asked > k.Longest:
		return Lengthen
	case k.Previous != nil && k.Until.IsZero():
		return Schedule
	case k.Previous != nil && !f.Now.Before(k.Until):
		return Retire
	case k.Next != nil && !f.Published && !k.Published.IsZero():
		return Forget
	case k.Next != nil && f.Published && k.Published.IsZero():
		return Note
	case k.Next != nil && k.Previous == nil && f.Published && k.mayPromote(f):
		return Promote
	case k.Next == nil && k.Previous == nil && (k.Requested || k.Signing.isOld(f.Now)):
		return Begin
	default:
		return Hold
	}
}

// mayPromote tells whether whoever is to verify the next root's leaves has it: the
// pods' files by the time that it was published, the proxies by their ACKs. A server
// that has just started waits for the proxies to come back first.
func (k Keyring) mayPromote(f Facts) bool {
	life := k.Next.certificate
	return f.Now.Sub(k.Published) >= f.PublishFor &&
		!f.Serving.IsZero() && f.Now.Sub(f.Serving) >= min(reconnect, f.PublishFor) &&
		f.Waiting == 0 &&
		f.Now.After(life.NotBefore) && f.Now.Before(life.NotAfter)
}

// overdueAfter is how many times longer than it must a next root waits for proxies
// before that is worth a word.
const overdueAfter = 2

// IsOverdue tells whether connected proxies hold the next root up.
func (f Facts) IsOverdue(k Keyring) bool {
	return f.Waiting > 0 && !k.Published.IsZero() && f.Now.Sub(k.Published) > overdueAfter*f.PublishFor
}

// isOld tells whether less than a third of the root's life is left.
func (r *Root) isOld(now time.Time) bool {
	c := r.certificate
	return c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/3
}

// After gives the Keyring that a step makes of this one.
func (k Keyring) After(s Step, f Facts) (Keyring, error) {
	switch s {
	case Hold:
	case Lengthen:
		k.Longest = f.Asked
	case Begin:
		next, err := Generate(f.Now)
		if err != nil {
			return k, err
		}
		k.Next, k.Requested, k.Published = next, false, time.Time{}
	case Note:
		k.Published = f.Now
	case Forget:
		k.Published = time.Time{}
	case Promote:
		k.Previous, k.Until = k.Signing.certificate, k.Signing.lastLeafEnds(f.Now, k.Longest)
		k.Signing, k.Longest = k.Next, usualLeafLife
		k.Next, k.Published = nil, time.Time{}
	case Schedule:
		k.Until = f.Now.Add(MaxLeafLife + clockSkew)
	case Retire:
		k.Previous, k.Until = nil, time.Time{}
	default:
		return k, fmt.Errorf("there is no step %q", s)
	}
	return k, nil
}

// lastLeafEnds is when nothing that the root has signed until now can be valid.
func (r *Root) lastLeafEnds(now time.Time, longest time.Duration) time.Time {
	ends := now.Add(longest + clockSkew)
	if r.certificate.NotAfter.Before(ends) {
		return r.certificate.NotAfter
	}
	return ends
}
