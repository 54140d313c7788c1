// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package identity puts the mesh's certificate authority together: the root and
// its published bundle, the admission that protects the signer, the signer of
// workload certificates, and the certificate of the control plane itself.
package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/admission"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/authority"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/controlplane"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/signer"
)

// Settings are what MeshConfig says about certificates.
type Settings = signer.Settings

// Renewal is what the root's renewal waits for.
type Renewal = authority.Renewal

// Database is what the server's database says of itself.
type Database = root.Database

// Identity is the mesh's certificate authority.
type Identity struct {
	client kubernetes.Interface
	served atomic.Bool

	authority    *authority.Authority
	admission    *admission.Watch
	pods         *admission.Watch
	signer       *signer.Signer
	controlPlane *controlplane.Server
}

// New makes an Identity that talks to the cluster of config with a client of its
// own, unthrottled and in protobuf: a pod does not start before its certificate.
// settings is asked at every signature; database tells which database there is;
// recorder is told when issuing stops, how a renewal of the root goes, and of a
// database that is not the mesh's.
func New(config *rest.Config, systemNamespace string, settings func() Settings, renewal Renewal,
	database func(context.Context) (Database, error), recorder events.EventRecorder) (*Identity, error) {
	own := rest.CopyConfig(config)
	own.QPS = -1
	own.ContentType = "application/vnd.kubernetes.protobuf"
	own.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	client, err := kubernetes.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("make the identity client: %w", err)
	}
	a := authority.New(client, systemNamespace, renewal, database, recorder)
	w := admission.NewWatch(client)
	return &Identity{
		client:       client,
		authority:    a,
		admission:    w,
		pods:         admission.NewPodsWatch(client),
		signer:       signer.New(client, a, a.Trust, w, systemNamespace, settings),
		controlPlane: controlplane.New(systemNamespace, a.CA, a.Roots),
	}, nil
}

// Start reads or creates the root and publishes it; call it before the listeners
// open. A root that was lost is no error: the server runs, and Checks say so. On a
// host that serves no pod identity there is nothing to publish; Run tries again.
func (i *Identity) Start(ctx context.Context) error {
	served, err := i.Served()
	if err != nil {
		return err
	}
	if !served {
		klog.FromContext(ctx).Info("The host does not serve PodCertificateRequest and ClusterTrustBundle in certificates.k8s.io/v1: no pod can be in the mesh")
		i.authority.TakeAnyDatabase()
		return nil
	}
	return i.authority.Start(ctx)
}

// Run follows the root, its bundle and the admission, and answers certificate requests,
// until the context ends.
func (i *Identity) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { i.authority.Run(ctx) })
	running.Go(func() { i.admission.Run(ctx) })
	running.Go(func() { i.pods.Run(ctx) })
	running.Go(func() { i.signer.Run(ctx) })
	running.Wait()
	return nil
}

// Lead has Run keep the bundle and renew the root, until the context ends; it may be
// called again. Of several servers one does so at a time.
func (i *Identity) Lead(ctx context.Context) error {
	i.authority.Lead(ctx)
	return nil
}

// OnRoots calls f with the roots after every change, and at once if they are
// known. Calls are never concurrent; f must not block.
func (i *Identity) OnRoots(f func(roots []byte)) { i.authority.OnRoots(f) }

// XDSServerTLS is the configuration of the xDS listener.
func (i *Identity) XDSServerTLS() *tls.Config { return i.controlPlane.TLSConfig() }

// Database gives the ID of the database that the mesh has used, if that is the
// present one, or why what is in that must not be acted on. ForeignDatabase is nil
// where that is merely not known, for want of the root.
func (i *Identity) Database() (id string, fault error) { return i.authority.Database() }

// ForeignDatabase tells why the present database is not the mesh's, nil if it is or
// nothing says.
func (i *Identity) ForeignDatabase() error {
	if _, fault := i.authority.Database(); errors.Is(fault, root.ErrForeignDatabase) {
		return fault
	}
	return nil
}

// OnDatabase calls f after each change of what Database gives. Calls are never
// concurrent; f must not block.
func (i *Identity) OnDatabase(f func()) { i.authority.OnDatabase(f) }

// CompareDatabase has the present database compared with the remembered one again.
func (i *Identity) CompareDatabase() { i.authority.CompareDatabase() }

// Ready tells why no certificate can be issued, nil if they can.
func (i *Identity) Ready() error { return i.authority.Ready() }

// Checks are for /readyz: the root was read, the control plane has its certificate
// if there is a root to sign it, the signer sees requests, and admission protects
// them. A root that was lost keeps nobody from the rest of the server, nor does a
// host that serves no pod identity.
func (i *Identity) Checks() []healthz.HealthChecker {
	return []healthz.HealthChecker{
		i.ifServed("mesh-root", i.authority.Known),
		i.ifServed("mesh-control-plane-certificate", i.controlPlaneReady),
		i.ifServed("mesh-signer", i.signer.Ready),
		i.ifServed("mesh-podcertificate-admission", i.admission.Ready),
	}
}

func (i *Identity) controlPlaneReady() error {
	if i.authority.Known() == nil && i.authority.Ready() != nil {
		return nil
	}
	return i.controlPlane.Ready()
}
