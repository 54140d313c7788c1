// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"slices"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of what one stream may ask for, so that a proxy cannot fill the
// server's memory with names that mean nothing. What there is has no bound here:
// tenants make it, and a proxy that were refused for what it was sent would be
// refused for ever, as would every other.
const (
	// maxAbsent bounds the names of one type that a stream holds though nothing has
	// had them. More are answered and forgotten: a proxy asks again for what a
	// cluster or listener that is sent to it names.
	maxAbsent = 2048
	// maxForgotten bounds those of them that wait for their answer when another
	// request comes.
	maxForgotten = 16_384
	// maxName bounds one name, in bytes. The longest that there is names a port of
	// a headless Service and an account (envoy.HeadlessName).
	maxName = 256
	// maxRequest bounds a request, in bytes. The first after a reconnect has every
	// name twice, as wanted and, with its version, as held: 130,000 of usual length.
	maxRequest = 16 << 20
	// maxWildcards bounds how often a stream asks for everything of one type: each
	// time costs as much as there is, and an honest proxy does it once.
	maxWildcards = 8
	// requestRate and requestBurst bound the requests of a stream in a second,
	// and at once. What is more waits unread, so that TCP holds the proxy back.
	// An honest proxy sends one for each response, and one for each name that it
	// comes to want.
	requestRate, requestBurst = 1000, 20_000
)

const wildcard = "*"

// handle takes one request: an ACK or NACK, a change of what is wanted, or both.
func (s *Server) handle(st *stream, request *discovery.DeltaDiscoveryRequest) error {
	k, ok := kindOf(request.GetTypeUrl())
	if !ok {
		return status.Errorf(codes.InvalidArgument, "type %q is not served", request.GetTypeUrl())
	}
	s.mu.Lock()
	if st.left {
		s.mu.Unlock()
		return status.Error(codes.Aborted, "the stream has ended")
	}
	refused, err := st.take(k, request)
	st.reckon(k)
	s.unlock()
	if refused != nil && s.options.Refused != nil {
		s.options.Refused(*refused)
	}
	return err
}

// take records a request, and tells what was refused.
func (st *stream) take(k kind, request *discovery.DeltaDiscoveryRequest) (refused *Nack, err error) {
	s, first := st.subscribe(k)
	refused = st.answer(s, request)
	names, all := split(request.GetResourceNamesSubscribe())
	gone, nothing := split(request.GetResourceNamesUnsubscribe())
	// A first request that names nothing asks for everything ("How the client
	// specifies what resources to return").
	if first && len(request.GetResourceNamesSubscribe())+len(request.GetResourceNamesUnsubscribe()) == 0 {
		all = true
	}
	if !k.takesWildcard() {
		all = false
	}
	if len(s.forgotten) > maxForgotten {
		return refused, status.Errorf(codes.ResourceExhausted, "more than %d names of type %s that nothing has, before the answer was read", maxForgotten, k.label())
	}
	if err := checkNames(request); err != nil {
		return refused, err
	}
	if all {
		if s.wildcards++; s.wildcards > maxWildcards {
			return refused, status.Errorf(codes.ResourceExhausted, "everything of type %s was asked for more than %d times on one stream", k.label(), maxWildcards)
		}
	}
	var have map[string]string
	if first {
		have = request.GetInitialResourceVersions()
	}
	if nothing {
		st.removeWildcard(s)
	}
	for _, name := range gone {
		st.removeName(s, name)
	}
	if all {
		st.addWildcard(s, have)
	}
	for _, name := range names {
		st.addName(s, name, have[name])
	}
	if !all && !nothing && len(names)+len(gone) == 0 {
		return refused, nil
	}
	if k.takesWildcard() && !(first && all) {
		st.server.changedViews(st.names) // it may have to ACK less, or more
	}
	st.markedNow()
	return refused, nil
}

// checkNames refuses names that no resource has: they would be kept.
func checkNames(request *discovery.DeltaDiscoveryRequest) error {
	tooLong := func(name string) bool { return len(name) > maxName }
	if slices.ContainsFunc(request.GetResourceNamesSubscribe(), tooLong) {
		return errNameTooLong
	}
	for name := range request.GetInitialResourceVersions() {
		if tooLong(name) {
			return errNameTooLong
		}
	}
	return nil
}

var errNameTooLong = status.Errorf(codes.InvalidArgument, "a resource name is longer than %d bytes", maxName)

// split takes the wildcard out of a list of names.
func split(names []string) ([]string, bool) {
	if !slices.Contains(names, wildcard) {
		return names, false
	}
	named := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == wildcard })
	return named, true
}
