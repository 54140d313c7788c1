// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// usages are what a workload's certificate must be good for: it is shown at both ends.
var usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}

// verify reads a chain as the peers of a workload will, by the published roots, holds
// its leaf to what was wanted, and gives the leaf's life.
func verify(chain [][]byte, wanted leaf.Request, roots *x509.CertPool, now time.Time) (leaf.Validity, error) {
	none := leaf.Validity{}
	certificates, err := parse(chain)
	if err != nil {
		return none, err
	}
	if err := verifyChain(certificates, roots, now); err != nil {
		return none, err
	}
	got := certificates[0]
	if key, ok := got.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(wanted.Key) {
		return none, errors.New("it is for another key")
	}
	name, err := leaf.Parse(got, wanted.TrustDomain)
	if err != nil {
		return none, err
	}
	if name != wanted.Name {
		return none, fmt.Errorf("it names %+v", name)
	}
	life := leaf.Validity{NotBefore: got.NotBefore, NotAfter: got.NotAfter}
	if life.NotBefore.Before(wanted.Validity.NotBefore) || life.NotAfter.After(wanted.Validity.NotAfter) {
		return none, fmt.Errorf("it lives from %s to %s, longer than was asked for", life.NotBefore, life.NotAfter)
	}
	return life, checkLife(life)
}

func parse(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("there is none")
	}
	var out []*x509.Certificate
	for _, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		out = append(out, certificate)
	}
	return out, nil
}

// verifyChain demands that each certificate is signed by the next and the last by a
// root, and that the leaf is good for both ends of a connection.
func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) error {
	for _, usage := range usages {
		if !slices.Contains(chain[0].ExtKeyUsage, usage) {
			return errors.New("it is not for both ends of a connection")
		}
	}
	if len(chain) == 1 {
		// Only a certificate in between could take one of the usages back.
		return verifyPath(chain, x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: usages[:1]})
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	for _, usage := range usages {
		options := x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}
		if err := verifyPath(chain, options); err != nil {
			return err
		}
	}
	return nil
}

func verifyPath(chain []*x509.Certificate, options x509.VerifyOptions) error {
	paths, err := chain[0].Verify(options)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(paths, func(path []*x509.Certificate) bool {
		return len(path) == len(chain)+1 && slices.EqualFunc(chain, path[:len(chain)], (*x509.Certificate).Equal)
	}) {
		return errors.New("its chain is not what leads from it to a root, in order and without the root")
	}
	return nil
}
