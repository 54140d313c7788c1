// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
)

// Issuer issues the certificates of workloads. The signer decides for whom, and
// verifies what it is given: an Issuer that errs makes pods wait, and admits no caller.
type Issuer interface {
	// Ready tells why nothing can be issued now, nil if it can. It does not wait.
	Ready() error
	// Issue gives the certificate that is wanted and, after it, those of the authorities
	// between it and a root that the mesh publishes, each signed by the next, without the
	// root; all are DER. The certificate's own NotAfter is when it ends, which may be
	// sooner than is wanted. After an error the same certificate is asked for again.
	Issue(ctx context.Context, wanted leaf.Request) (chain [][]byte, err error)
}
