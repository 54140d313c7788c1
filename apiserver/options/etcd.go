// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"crypto/tls"
	"fmt"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// EtcdClient connects to the etcd that the objects are kept in, for what is no
// object. It does not wait for the connection.
func (o *Options) EtcdClient() (*clientv3.Client, error) {
	to := o.Recommended.Etcd.StorageConfig.Transport
	var config *tls.Config
	if to.CertFile != "" || to.KeyFile != "" || to.TrustedCAFile != "" {
		files := transport.TLSInfo{CertFile: to.CertFile, KeyFile: to.KeyFile, TrustedCAFile: to.TrustedCAFile}
		var err error
		if config, err = files.ClientConfig(); err != nil {
			return nil, fmt.Errorf("read etcd's TLS files: %w", err)
		}
	}
	// The times are those of the API server's own client.
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            to.ServerList,
		TLS:                  config,
		DialTimeout:          20 * time.Second,
		DialKeepAliveTime:    30 * time.Second,
		DialKeepAliveTimeout: 10 * time.Second,
		Logger:               zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return client, nil
}
