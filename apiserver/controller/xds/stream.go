// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package xds

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"
)

// stream is one proxy's connection. The Server's lock guards all but the
// channels and what never changes.
type stream struct {
	server *Server
	peer   Peer
	log    klog.Logger

	// id is its number among those that are connected.
	id uint32
	// names are those of the views whose resources the proxy is sent, the most specific
	// first, and shares tells whether "" is among them. They are known once the stream
	// is admitted.
	names  []string
	shares bool
	// since is when it connected.
	since         time.Time
	subscriptions [kinds]*subscription
	// holdsUp are, by kind, the products by number whose first resource that the proxy
	// has not ACKed is of this kind.
	holdsUp   [kinds]numbers
	lastNonce nonce
	// warming is set while the proxy has not ACKed new clusters.
	warming warming
	// left: the stream is out of the indexes for good.
	left bool
	// marked is when the oldest change that waits in the slot came, or zero.
	marked time.Time

	// admitted is closed when the store is ready and the proxy is known.
	admitted chan struct{}
	// wake says that there may be something to send. One place is enough.
	wake chan struct{}
	// ended takes the first reason to end the stream.
	ended chan error
}

// deltaStream is the part of gRPC's stream that is used here.
type deltaStream interface {
	Context() context.Context
	Recv() (*discovery.DeltaDiscoveryRequest, error)
	SendMsg(m any) error
}

func newStream(s *Server, p Peer, log klog.Logger) *stream {
	return &stream{
		server:   s,
		peer:     p,
		since:    time.Now(),
		log:      klog.LoggerWithValues(log, "proxy", p.ID.String()),
		admitted: make(chan struct{}),
		wake:     make(chan struct{}, 1),
		ended:    make(chan error, 1),
	}
}

// end makes the stream end with this status; the first reason counts.
func (st *stream) end(err error) {
	select {
	case st.ended <- err:
	default:
	}
}

// poke wakes the sender.
func (st *stream) poke() {
	select {
	case st.wake <- struct{}{}:
	default:
	}
}

// enter puts the stream into views, the most specific first.
func (st *stream) enter(names []string) {
	st.names, st.shares = names, slices.Contains(names, "")
	for _, view := range st.views() {
		view.streams[st] = struct{}{}
	}
}

// views are the views that the stream belongs to.
func (st *stream) views() []*viewIndex {
	views := make([]*viewIndex, 0, len(st.names))
	for _, name := range st.names {
		views = append(views, st.server.store.view(name))
	}
	return views
}

// isOf tells whether the stream belongs to a view.
func (st *stream) isOf(view string) bool { return slices.Contains(st.names, view) }

// markChanged puts a changed topic in the stream's slot, and tells whether it is
// the first since the sender has looked: then it has to be woken.
func (st *stream) markChanged(t *topic) bool {
	s := st.subscriptions[t.kind]
	if s == nil {
		return false
	}
	s.mark(t)
	return st.waits()
}

// waits notes that something waits, and tells whether it is the first.
func (st *stream) waits() bool {
	if !st.marked.IsZero() {
		return false
	}
	st.marked = time.Now()
	sendQueue.Inc()
	return true
}

// markedNow notes that something waits, and wakes the sender.
func (st *stream) markedNow() {
	st.waits()
	st.poke()
}

// run serves an admitted stream until it ends. Sending has a goroutine of its
// own, so that a proxy that does not read cannot keep a stream that must end.
func (st *stream) run(conn deltaStream) error {
	go func() { st.end(st.receive(conn)) }()
	go func() { st.end(st.send(conn)) }()
	select {
	case err := <-st.ended:
		return err
	case <-conn.Context().Done():
		return status.FromContextError(conn.Context().Err()).Err()
	}
}

// send empties the slot, again and again, until the stream ends. It waits for
// one channel alone, which costs less than to choose among several.
func (st *stream) send(conn deltaStream) error {
	ctx := conn.Context()
	defer context.AfterFunc(ctx, st.poke)()
	unread := time.AfterFunc(st.server.unread, func() {
		st.end(status.Error(codes.DeadlineExceeded, "the proxy does not read what it is sent"))
	})
	defer unread.Stop()
	for ctx.Err() == nil {
		responses, marked, wait := st.server.collect(st)
		for _, r := range responses {
			unread.Reset(st.server.unread)
			if err := st.write(conn, r); err != nil {
				return err
			}
		}
		unread.Stop()
		if len(responses) > 0 && !marked.IsZero() {
			pushSeconds.Observe(time.Since(marked).Seconds())
		}
		if wait > 0 {
			time.AfterFunc(wait, st.poke)
		}
		<-st.wake
	}
	return status.FromContextError(ctx.Err()).Err()
}

// maxUnread is how long one response may wait for the proxy to read. Keepalive
// ends connections that are dead; this ends those that only answer pings, for
// which the transport would keep a response for ever.
const maxUnread = time.Minute

// write sends one response. It waits for the proxy: while it does, what changes
// is kept as names in the slot, so that a slow reader costs no more memory.
func (st *stream) write(conn deltaStream, r *response) error {
	if err := conn.SendMsg(r); err != nil {
		return err
	}
	st.server.meters[r.kind].count(r)
	return nil
}

// receive takes requests until the proxy goes away or breaks the rules.
func (st *stream) receive(conn deltaStream) error {
	limit := rate.NewLimiter(requestRate, requestBurst)
	for first := true; ; first = false {
		if err := limit.Wait(conn.Context()); err != nil {
			return status.FromContextError(err).Err()
		}
		request, err := conn.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := st.checkNode(request, first); err != nil {
			return err
		}
		if err := st.server.handle(st, request); err != nil {
			return err
		}
	}
}

// checkNode holds every node that is sent against the certificate. A node is
// due on the first request of a stream only.
func (st *stream) checkNode(request *discovery.DeltaDiscoveryRequest, first bool) error {
	if request.GetNode() == nil {
		if first {
			return status.Error(codes.InvalidArgument, "the first request of a stream must carry a node")
		}
		return nil
	}
	if id := request.GetNode().GetId(); id != st.peer.ID.String() {
		refusals.WithLabelValues("node").Inc()
		return status.Errorf(codes.PermissionDenied, "node.id is %q, but the certificate is that of %q", id, st.peer.ID)
	}
	return nil
}
