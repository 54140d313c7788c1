// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package leaf

import "crypto"

// Request is a workload's certificate that is wanted.
type Request struct {
	Name        Name
	TrustDomain string
	// Key is the one to certify.
	Key crypto.PublicKey
	// Validity is the life that is asked for; what issues may give a shorter one in it.
	Validity Validity
}

// Issue gives the DER of what is wanted, for no longer than the CA itself lives.
func (ca CA) Issue(wanted Request) ([]byte, error) {
	life := wanted.Validity
	if life.NotBefore.Before(ca.Certificate.NotBefore) {
		life.NotBefore = ca.Certificate.NotBefore
	}
	if life.NotAfter.After(ca.Certificate.NotAfter) {
		life.NotAfter = ca.Certificate.NotAfter
	}
	template, err := Template(wanted.Name, wanted.TrustDomain, life)
	if err != nil {
		return nil, err
	}
	return Sign(template, wanted.Key, ca)
}
