// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/inject"
)

// addWebhook opens the port on which kube-apiserver asks about pods.
func (s *Server) addWebhook() error {
	listener, err := s.listen("--webhook-port", s.options.Mesh.WebhookPort)
	if err != nil {
		return err
	}
	// While no certificate can be issued a pod would wait for one unseen; a refusal
	// tells its owner why.
	settings := func() (inject.Settings, error) {
		if err := s.identity.ForeignDatabase(); err != nil {
			return inject.Settings{}, err
		}
		served, err := s.identity.Served()
		if err == nil && served {
			err = s.identity.Ready()
		}
		if err != nil {
			return inject.Settings{}, err
		}
		return s.injectSettings(served)
	}
	mux := http.NewServeMux()
	mux.Handle("/inject", inject.NewHandler(settings, newNamespaces(s.clients, s.options.Mesh.SystemNamespace).labels, newBounds(s.clients).of))
	clients, err := s.webhookClients()
	if err != nil {
		return err
	}
	s.components.add(everyReplica, "webhook", func(ctx context.Context) error {
		config := s.webhookTLS(ctx, clients)
		server := &http.Server{Handler: mux, TLSConfig: config, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: webhookStreams}}
		return serveHTTP(ctx, server, bounded(listener, "webhook", webhookConnections))
	})
	return nil
}

// webhookClients follows the file of the authorities whose certificates callers of
// the webhook have to show, nil if they need none.
func (s *Server) webhookClients() (*dynamiccertificates.DynamicFileCAContent, error) {
	file := s.options.Mesh.WebhookClientCAFile
	if file == "" {
		return nil, nil
	}
	clients, err := dynamiccertificates.NewDynamicCAContentFromFile("webhook-clients", file)
	if err != nil {
		return nil, fmt.Errorf("read --webhook-client-ca-file: %w", err)
	}
	return clients, nil
}

// webhookTLS follows the pair that the API serves with, as it is renewed, and the
// authorities of clients, until ctx ends.
func (s *Server) webhookTLS(ctx context.Context, clients *dynamiccertificates.DynamicFileCAContent) *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if clients == nil {
		return s.followServing(ctx, base, nil)
	}
	base.ClientAuth = tls.RequireAndVerifyClientCert
	// A client is verified each time, by the authorities and names of the day.
	base.SessionTicketsDisabled = true
	config := s.followServing(ctx, base, clients)
	follow := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		one, err := follow(hello)
		if err != nil {
			return nil, err
		}
		one.VerifyConnection = func(state tls.ConnectionState) error {
			if err := hasName(state.PeerCertificates[0], s.options.Mesh.WebhookClientNames); err != nil {
				return err
			}
			if c, ok := hello.Conn.(*boundedConn); ok {
				c.Identified()
			}
			return nil
		}
		return one, nil
	}
	return config
}

func (s *Server) followServing(ctx context.Context, base *tls.Config, clients *dynamiccertificates.DynamicFileCAContent) *tls.Config {
	var authorities dynamiccertificates.CAContentProvider // nil, and no pointer to nothing
	if clients != nil {
		authorities = clients
	}
	controller := dynamiccertificates.NewDynamicServingCertificateController(base, authorities, s.serving, nil, nil)
	s.serving.AddListener(controller)
	if clients != nil {
		clients.AddListener(controller)
		go clients.Run(ctx, 1)
	}
	go controller.Run(1, ctx.Done())
	config := base.Clone()
	config.GetConfigForClient = controller.GetConfigForClient
	return config
}

// hasName tells whether a certificate's common name, or a DNS name of it, is one of
// those that are allowed; none means all.
func hasName(certificate *x509.Certificate, allowed []string) error {
	if len(allowed) == 0 || slices.Contains(allowed, certificate.Subject.CommonName) ||
		slices.ContainsFunc(certificate.DNSNames, func(name string) bool { return slices.Contains(allowed, name) }) {
		return nil
	}
	return fmt.Errorf("client certificate of %q: --webhook-client-names does not name it", certificate.Subject.CommonName)
}

// injectSettings are what MeshConfig and the flags say about sidecars.
func (s *Server) injectSettings(podIdentity bool) (inject.Settings, error) {
	config, err := s.settings.meshConfig()
	if err != nil {
		return inject.Settings{}, err
	}
	sidecar := config.Spec.Sidecar
	settings := inject.Settings{
		InitImage:           s.options.Mesh.Image,
		ProxyImage:          s.options.Mesh.ProxyImage,
		Resources:           corev1.ResourceRequirements{Requests: sidecar.Resources.Requests, Limits: sidecar.Resources.Limits},
		Demanded:            demanded(),
		LogLevel:            string(sidecar.LogLevel),
		Concurrency:         *sidecar.Concurrency,
		DrainTime:           sidecar.DrainTime.Duration,
		TerminationDrain:    sidecar.TerminationDrain.Duration,
		PreStopSleep:        sidecar.PreStopSleep.Duration,
		CertificateLifetime: config.Spec.Certificate.Lifetime.Duration,
		SystemNamespace:     s.options.Mesh.SystemNamespace,
		ClusterDomain:       s.options.Mesh.ClusterDomain,
		PodIdentity:         podIdentity,
	}
	if sidecar.Image != "" {
		settings.ProxyImage = sidecar.Image
	}
	return settings, nil
}
