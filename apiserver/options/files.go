// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
)

// validateFiles reads what flags name, before anything has started: what cannot
// be read would be found late, and told without its flag.
func (o *Options) validateFiles() []error {
	var errs []error
	seen := map[string]bool{}
	for _, kubeconfig := range []struct{ flag, path string }{
		{"--kubeconfig", o.Recommended.CoreAPI.CoreAPIKubeconfigPath},
		{"--authentication-kubeconfig", o.Recommended.Authentication.RemoteKubeConfigFile},
		{"--authorization-kubeconfig", o.Recommended.Authorization.RemoteKubeConfigFile},
	} {
		// The others default to the first.
		if kubeconfig.path == "" || seen[kubeconfig.path] {
			continue
		}
		seen[kubeconfig.path] = true
		if _, err := clientcmd.BuildConfigFromFlags("", kubeconfig.path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", kubeconfig.flag, err))
		}
	}
	etcd := o.Recommended.Etcd.StorageConfig.Transport
	for _, file := range []struct{ flag, path string }{
		{"--etcd-cafile", etcd.TrustedCAFile},
		{"--etcd-certfile", etcd.CertFile},
		{"--etcd-keyfile", etcd.KeyFile},
		{"--client-ca-file", o.Recommended.Authentication.ClientCert.ClientCA},
		{"--webhook-client-ca-file", o.Mesh.WebhookClientCAFile},
		{"--requestheader-client-ca-file", o.Recommended.Authentication.RequestHeader.ClientCAFile},
	} {
		if file.path == "" {
			continue
		}
		if _, err := os.ReadFile(file.path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file.flag, err))
		}
	}
	return errs
}
