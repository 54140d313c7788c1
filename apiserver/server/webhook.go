// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"net/http"

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
	mux.Handle("/inject", inject.NewHandler(settings, newNamespaces(s.clients).labels, newBounds(s.clients).of))
	s.components.add("webhook", func(ctx context.Context) error {
		certificates := s.servingTLS()
		go certificates.Run(1, ctx.Done())
		config := webhookTLS()
		config.GetConfigForClient = certificates.GetConfigForClient
		server := &http.Server{Handler: mux, TLSConfig: config, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: webhookStreams}}
		return serveHTTP(ctx, server, bounded(listener, "webhook", webhookConnections))
	})
	return nil
}

// servingTLS follows the pair that the API serves with, as it is renewed.
func (s *Server) servingTLS() *dynamiccertificates.DynamicServingCertificateController {
	controller := dynamiccertificates.NewDynamicServingCertificateController(webhookTLS(), nil, s.serving, nil, nil)
	s.serving.AddListener(controller)
	return controller
}

func webhookTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
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
