// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// protobufMagic begins every value that Kubernetes stores in protobuf.
const protobufMagic = "k8s\x00"

func TestObjectsAreStoredInProtobuf(t *testing.T) {
	namespace := newNamespace(t)
	newPolicy(t, namespace)
	etcd, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + server.DataDir + "/run/etcd.sock"}})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	stored, err := etcd.Get(t.Context(), "/registry/mesh.openservicemesh.io/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, kv := range stored.Kvs {
		if !strings.HasSuffix(string(kv.Key), "/"+namespace+"/readers") {
			continue
		}
		found = true
		if !strings.HasPrefix(string(kv.Value), protobufMagic) {
			t.Errorf("value of %s begins with %q, want %q", kv.Key, kv.Value[:4], protobufMagic)
		}
	}
	if !found {
		t.Errorf("none of %d keys is that of the policy", len(stored.Kvs))
	}
}

func TestRestartLosesNothing(t *testing.T) {
	for name, end := range map[string]func(*harness.Process, context.Context) error{
		"stopped": (*harness.Process).Stop,
		"killed":  (*harness.Process).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			before := newPolicy(t, namespace)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if err := end(server.Process, ctx); err != nil {
				t.Fatal(err)
			}
			if err := server.Start(ctx); err != nil {
				t.Fatal(err)
			}
			after, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if after.UID != before.UID || after.Generation != before.Generation {
				t.Errorf("got %s at generation %d, want %s at %d", after.UID, after.Generation, before.UID, before.Generation)
			}
		})
	}
}
