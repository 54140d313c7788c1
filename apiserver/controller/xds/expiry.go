// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"crypto/x509"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxMargin is how long before its certificate's end a stream is closed at most.
const maxMargin = 10 * time.Minute

// endBeforeExpiry arranges for the stream to end before its certificate does,
// since TLS looks at a certificate only when a connection begins. The returned
// function takes that back.
func (st *stream) endBeforeExpiry(leaf *x509.Certificate) func() {
	wait := untilClose(leaf, time.Now(), rand.Float64())
	timer := time.AfterFunc(wait, func() {
		st.end(status.Error(codes.Unauthenticated, "the certificate is about to expire: connect again with a new one"))
	})
	return func() { timer.Stop() }
}

// untilClose is a tenth of the certificate's life before its end, or
// maxMargin if that is less, halved by up to the jitter (0 to 1), so that
// proxies that started together do not all come back at once. When that time
// is over already it is half of what remains.
func untilClose(leaf *x509.Certificate, now time.Time, jitter float64) time.Duration {
	margin := min(leaf.NotAfter.Sub(leaf.NotBefore)/10, maxMargin)
	margin -= time.Duration(jitter * float64(margin) / 2)
	remaining := max(leaf.NotAfter.Sub(now), 0)
	if remaining <= margin {
		return remaining / 2
	}
	return remaining - margin
}
