// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package xds delivers Envoy resources to proxies over delta ADS, and knows
// what each proxy has ACKed. The work of a change is proportional to what
// changed and to the streams that want it: each resource is encoded once, an
// index leads from it to its subscribers, and each stream has one slot in
// which the latest version wins while a send is in flight.
//
// The rules of the protocol that are quoted are those of Envoy's "xDS REST and
// gRPC protocol", https://www.envoyproxy.io/docs/envoy/v1.40.0/api-docs/xds_protocol.
package xds

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/unit"
)

// shutdownGrace is how long streams have to end by themselves.
const shutdownGrace = 5 * time.Second

// requestWindow is how much of its requests a proxy may send unread, in bytes.
const requestWindow = 64 << 10

// ErrNotConfigured is what Identify returns while this server cannot read any
// certificate, whoever's it is: the proxy is to try again.
var ErrNotConfigured = errors.New("the mesh is not configured")

// Options are what a Server needs of others.
type Options struct {
	// Identify reads who a proxy is from its verified leaf. Required.
	Identify func(*x509.Certificate) (Peer, error)
	// Notify, if set, is called when what Units returns may be another than when it was
	// asked last, by what has come of the unit, or by what a stream did: connect,
	// subscribe, ACK, NACK, move, disconnect. It is called once, until Units is
	// asked of it again. It must not block, and may be called by many at once.
	Notify func(unit.ID)
	// Refused, if set, is called with a NACK of one resource, at the rate at
	// which NACKs of a proxy are logged. It must not block.
	Refused func(Nack)
	// Register, if set, adds services to those that proxies may call. view gives
	// the most specific view of the peer of a call, by its certificate.
	Register func(to grpc.ServiceRegistrar, view func(context.Context) (string, error))
	// Logger defaults to klog's.
	Logger klog.Logger
}

// Peer is what a proxy's certificate says.
type Peer struct {
	ID             model.ProxyID
	ServiceAccount string
}

// Server holds the resources and serves the streams.
type Server struct {
	options Options
	log     klog.Logger
	// hold, warmUp and unread are constants but in tests.
	hold, warmUp, unread time.Duration
	// meters count what goes over all streams.
	meters [kinds]meters
	// ready is closed when the first full picture is there.
	ready chan struct{}

	// mu guards all that follows, and the streams' state. Nothing waits while
	// it is held.
	mu       sync.Mutex
	store    *store
	proxies  map[model.ProxyID]model.Proxy
	streams  map[model.ProxyID]*stream
	serving  bool
	stopping bool
	// known is how many of the proxies there are in each view.
	known map[string]int
	// asked is how many products were asked about and have not been told of yet.
	asked int
	// news are the units of which Notify is told when the lock is free.
	news []unit.ID
	// bursts of proxies are noticed, to give back what they took.
	bursts bursts
	// nackLimits bound what each known proxy can make the log say.
	nackLimits map[model.ProxyID]*rate.Limiter
}

// New makes a Server without resources.
func New(options Options) *Server {
	log := options.Logger
	if log.GetSink() == nil {
		log = klog.Background()
	}
	s := &Server{
		options: options,
		log:     klog.LoggerWithName(log, "xds"),
		hold:    holdUnknown,
		warmUp:  warmUp,
		unread:  maxUnread,
		ready:   make(chan struct{}),
		store:   newStore(),
		proxies: map[model.ProxyID]model.Proxy{},
		streams: map[model.ProxyID]*stream{},

		known:      map[string]int{},
		nackLimits: map[model.ProxyID]*rate.Limiter{},
	}
	for k := range kinds {
		s.meters[k] = metersOf(k)
	}
	return s
}

// SetReady says that the first full picture was applied. Until then streams
// wait without an answer, for a name that is not there yet must not be called
// missing. Further calls do nothing.
func (s *Server) SetReady() {
	s.mu.Lock()
	defer s.unlock()
	if s.isReady() {
		return
	}
	close(s.ready)
	for _, st := range s.streams {
		s.tryAdmit(st)
	}
}

func (s *Server) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// Ready says why proxies cannot be served, or nil.
func (s *Server) Ready() error {
	if err := s.Listening(); err != nil {
		return err
	}
	if !s.isReady() {
		return errors.New("xds: the first full picture of the mesh is not there yet")
	}
	return nil
}

// Listening says why proxies cannot connect, or nil.
func (s *Server) Listening() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return errors.New("xds: shutting down")
	case !s.serving:
		return errors.New("xds: not listening yet")
	}
	return nil
}

// Serve serves proxies on a listener until ctx ends: then streams are ended,
// and after a grace of five seconds connections are closed. tlsConfig must
// require and verify client certificates.
func (s *Server) Serve(ctx context.Context, listener net.Listener, tlsConfig *tls.Config) error {
	if tlsConfig.ClientAuth != tls.RequireAndVerifyClientCert {
		return errors.New("serve xds: the TLS configuration must require and verify client certificates")
	}
	g := grpc.NewServer(
		grpc.Creds(counted(credentials.NewTLS(tlsConfig))),
		grpc.ForceServerCodecV2(newSharingCodec()),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.ConnectionTimeout(10*time.Second),
		// One proxy has one stream, and pushes its counters beside it. Requests are small: TLS's own buffer is
		// enough to read from, and none is kept while nothing is written.
		grpc.MaxConcurrentStreams(3),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.ReadBufferSize(0),
		// Finding a better window for requests would cost a ping, which is a
		// write and a read, for each of them.
		grpc.StaticStreamWindowSize(requestWindow),
		grpc.StaticConnWindowSize(requestWindow),
	)
	discovery.RegisterAggregatedDiscoveryServiceServer(g, ads{server: s})
	if s.options.Register != nil {
		s.options.Register(g, s.viewOfPeer)
	}
	s.setServing()
	failed := make(chan error, 1)
	go func() { failed <- g.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve xds: %w", err)
	case <-ctx.Done():
	}
	s.stop(g)
	return nil
}

func (s *Server) setServing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serving = true
}

// stop ends every stream, then the connections, gracefully for a while.
func (s *Server) stop(g *grpc.Server) {
	s.mu.Lock()
	s.stopping = true
	for _, st := range s.streams {
		st.end(status.Error(codes.Unavailable, "the server is shutting down"))
	}
	s.mu.Unlock()
	hard := time.AfterFunc(shutdownGrace, g.Stop)
	defer hard.Stop()
	g.GracefulStop()
}

// ads is the gRPC service.
type ads struct {
	server *Server
}

var _ discovery.AggregatedDiscoveryServiceServer = ads{}

// StreamAggregatedResources is the state-of-the-world variant.
func (ads) StreamAggregatedResources(discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	return status.Error(codes.Unimplemented, "only delta ADS is served: set ads_config.api_type to DELTA_GRPC")
}

// DeltaAggregatedResources serves one proxy.
func (a ads) DeltaAggregatedResources(conn discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	s := a.server
	who, leaf, err := s.identify(conn.Context())
	if err != nil {
		refusals.WithLabelValues(refusalOf(err)).Inc()
		return err
	}
	st := newStream(s, who, s.log)
	if err := s.connect(st); err != nil {
		return err
	}
	defer s.disconnect(st)
	defer st.endBeforeExpiry(leaf)()
	if err := s.awaitAdmission(conn.Context(), st); err != nil {
		return err
	}
	return st.run(conn)
}

// refusalOf is the reason for which a stream is counted whose peer was not
// identified: the server's own trouble is not the certificate's.
func refusalOf(err error) string {
	if status.Code(err) == codes.Unavailable {
		return "configuration"
	}
	return "certificate"
}

// viewOfPeer gives the most specific view of a known proxy, by its certificate.
func (s *Server) viewOfPeer(ctx context.Context) (string, error) {
	who, _, err := s.identify(ctx)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	proxy, ok := s.proxies[who.ID]
	if !ok || proxy.ServiceAccount != who.ServiceAccount {
		return "", status.Errorf(codes.PermissionDenied, "no proxy %s with this account is known", who.ID)
	}
	return proxy.Own(), nil
}

// identify reads who the peer is from the leaf of its verified chain.
func (s *Server) identify(ctx context.Context) (Peer, *x509.Certificate, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Peer{}, nil, status.Error(codes.Unauthenticated, "no peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return Peer{}, nil, status.Error(codes.Unauthenticated, "no verified client certificate")
	}
	leaf := info.State.VerifiedChains[0][0]
	who, err := s.options.Identify(leaf)
	if errors.Is(err, ErrNotConfigured) {
		return Peer{}, nil, status.Errorf(codes.Unavailable, "proxies cannot be told apart yet: %v", err)
	}
	if err != nil {
		return Peer{}, nil, status.Errorf(codes.PermissionDenied, "client certificate: %v", err)
	}
	return who, leaf, nil
}
