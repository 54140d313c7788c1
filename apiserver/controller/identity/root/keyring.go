// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"time"
)

// Lives of leaves. The API server lets none of a pod live longer than MaxLeafLife
// (PodCertificateRequestSpec.maxExpirationSeconds); usualLeafLife is what a root
// may sign before anything longer is recorded.
const (
	MaxLeafLife   = 91 * 24 * time.Hour
	usualLeafLife = 24 * time.Hour
)

// Phase is how far a renewal is.
type Phase string

// The phases: one root; a next one that is being made known; and a previous one
// that signs no more and is still trusted.
const (
	Stable    Phase = "stable"
	Spreading Phase = "spreading"
	Retiring  Phase = "retiring"
)

// Phases are all of them.
var Phases = []Phase{Stable, Spreading, Retiring}

// Keyring is what the root's Secret holds: the root that signs, the state of its
// renewal, and which database the mesh has used.
type Keyring struct {
	// Signing signs every leaf.
	Signing *Root
	// Next is to sign; nil if no renewal is under way. It has signed nothing.
	Next *Root
	// Previous has signed leaves that may still live; its key is gone.
	Previous *x509.Certificate

	// Requested says that the operator wants a renewal now.
	Requested bool
	// Published is since when the trust bundle has held Next; zero if not yet.
	Published time.Time
	// Until is when Previous may leave the trust bundle; zero if that is unknown.
	Until time.Time
	// Longest bounds the lives of all leaves that Signing has signed.
	Longest time.Duration

	// Database is the ID of the database that the mesh has used; empty if no server
	// has written it down.
	Database string
	// Accepted is the ID of the database that the operator wants used from now on.
	Accepted string
}

// Phase tells how far the renewal is.
func (k Keyring) Phase() Phase {
	switch {
	case k.Next != nil:
		return Spreading
	case k.Previous != nil:
		return Retiring
	default:
		return Stable
	}
}

// PEM is every certificate to be trusted, oldest first: their order does not change
// when the next root begins to sign.
func (k Keyring) PEM() []byte {
	var out bytes.Buffer
	if k.Previous != nil {
		out.Write(certificatePEM(k.Previous))
	}
	out.Write(k.Signing.PEM())
	if k.Next != nil {
		out.Write(k.Next.PEM())
	}
	return out.Bytes()
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
