// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/time/rate"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// nackBurst NACKs of a proxy are logged at once, and then one in nackInterval: a
// proxy can refuse, subscribe again and refuse, in a loop. Metrics and status
// tell of every one.
const (
	nackBurst    = 10
	nackInterval = 10 * time.Second
)

// maxMessage bounds what is kept of Envoy's words, in bytes.
const maxMessage = 2048

// answer takes the ACK or NACK that a request may be, and tells which refusal is to
// be told to others. A stale nonce is no error.
func (st *stream) answer(s *subscription, request *discovery.DeltaDiscoveryRequest) *Nack {
	n64, err := strconv.ParseUint(request.GetResponseNonce(), 10, 32)
	n := nonce(n64)
	if err != nil || n == 0 || n > st.lastNonce {
		return nil
	}
	before := s.answered
	s.answered = max(s.answered, n)
	if st.warming.nonce == n && s.kind == clusters {
		st.warming = warming{}
		st.poke()
	}
	if detail := request.GetErrorDetail(); detail != nil {
		// Said again it changes nothing, and would cost a look at all that is held.
		if n <= before {
			return nil
		}
		st.server.meters[s.kind].nacks.Inc()
		s.counts.Nacks++
		return st.reject(s, n, detail.GetMessage())
	}
	st.server.meters[s.kind].acks.Inc()
	s.counts.Acks++
	st.accept(s, n)
	return nil
}

// accept clears the NACKs of the resources that a response carried.
func (st *stream) accept(s *subscription, n nonce) {
	for t := range s.rejected {
		if k, _ := s.known.get(t); k.nonce == n {
			delete(s.rejected, t)
			st.changedTopic(t)
		}
	}
}

// reject keeps a NACK with each resource that the response carried. Which of
// several was bad is found by sending each again in a response of its own:
// the good ones are then ACKed, so a NACK stays with the bad one alone, which
// is returned, unless this proxy has refused too often lately.
func (st *stream) reject(s *subscription, n nonce, message string) *Nack {
	message = oneLine(message)
	var carried []*topic
	for t, k := range s.known.all() {
		if k.nonce == n && k.serial >= firstSerial {
			carried = append(carried, t)
			s.rejected[t] = message
			st.changedTopic(t)
		}
	}
	if len(carried) == 1 {
		if !st.server.mayLogNACK(st.peer.ID) {
			return nil
		}
		t := carried[0]
		st.log.Info("Proxy refused a resource", "type", s.kind.label(), "resource", t.name, "message", message)
		nack := &Nack{Proxy: st.peer.ID, TypeURL: s.kind.typeURL(), Name: t.name, Message: message}
		if r := st.visible(t); r != nil {
			nack.View = r.source.View
		}
		return nack
	}
	st.log.V(2).Info("Proxy refused a response, sending its resources one by one",
		"type", s.kind.label(), "resources", len(carried), "message", message)
	for _, t := range carried {
		s.alone[t] = struct{}{}
	}
	if len(carried) > 0 {
		st.markedNow()
	}
	return nil
}

// oneLine is what a proxy says, bounded and without what a terminal obeys: status
// and Events show it to administrators, and a pod in wrong hands says what it likes.
func oneLine(message string) string {
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "")
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, message))
}

// mayLogNACK tells whether another NACK of this proxy is worth a line. The limit
// belongs to the pod, so that a new stream does not come with a new one.
func (s *Server) mayLogNACK(id model.ProxyID) bool {
	if _, known := s.proxies[id]; !known {
		return false
	}
	limit := s.nackLimits[id]
	if limit == nil {
		limit = rate.NewLimiter(rate.Every(nackInterval), nackBurst)
		s.nackLimits[id] = limit
	}
	return limit.Allow()
}
