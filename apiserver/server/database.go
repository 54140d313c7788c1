// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"k8s.io/apiserver/pkg/server/healthz"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity"
	"github.com/openservicemesh/mesh-apiserver/apiserver/database"
)

// connectDatabase connects to the etcd that the objects are kept in, for what is no
// object.
func (s *Server) connectDatabase() error {
	var err error
	if s.etcd, err = s.options.EtcdClient(); err != nil {
		return err
	}
	s.database = database.New(s.etcd, s.options.Recommended.Etcd.StorageConfig.Prefix)
	return nil
}

// whichDatabase is what identity compares with what the root's Secret remembers.
func (s *Server) whichDatabase(ctx context.Context) (identity.Database, error) {
	id, used, err := s.database.Identify(ctx)
	return identity.Database{ID: id, Used: used}, err
}

// mayUse tells why nothing may be made of what is in the database, nil if it may.
// changed says that something in it is another since the last call. An etcd elsewhere
// may be emptied while this server runs, so then it is asked which one it is.
func (s *Server) mayUse(ctx context.Context, changed bool) error {
	id, fault := s.identity.Database()
	if fault != nil || !changed || id == "" || s.options.Mesh.EmbeddedEtcd {
		return fault
	}
	present, err := s.database.ID(ctx)
	if err != nil {
		return err
	}
	if present != id {
		s.identity.CompareDatabase()
		return fmt.Errorf("the database is %q now, and was %q", present, id)
	}
	return nil
}

// whileHeld makes a check of what is not complete while the database is not
// confirmed: until it has passed once, what is there in any case is looked at
// instead. A check of its own, mesh-database, says the rest, so that the kubelet can
// leave that out and the API stays reachable: policies are written before a database
// is confirmed.
func (s *Server) whileHeld(name string, complete, partial func() error) healthz.HealthChecker {
	var held atomic.Bool
	return healthz.NamedCheck(name, func(*http.Request) error {
		err := complete()
		if err == nil {
			return nil
		}
		if _, fault := s.identity.Database(); fault != nil {
			held.Store(true)
		}
		// Once confirmed, the first picture is complete in a moment. Until then the API
		// is not to go away.
		if held.Load() {
			return partial()
		}
		return err
	})
}
