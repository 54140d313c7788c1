// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build soak

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Each pair that the test prepares is near its end, so that the server takes it
// in use when it has been out long enough, and at once renews it: two rotations.
func TestSoakTwentyRotationsOfTheServingPairFailNoRequest(t *testing.T) {
	const rotations = 20
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "app")
	var requests, failed atomic.Int32
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for name, request := range map[string]func() error{
		"list": func() error {
			_, err := policiesIn(namespace).List(t.Context(), metav1.ListOptions{})
			return err
		},
		"dry-run pod create": func() error { return dryRunPod(t.Context(), namespace) },
	} {
		asking.Go(func() {
			for ctx.Err() == nil {
				requests.Add(1)
				if err := request(); err != nil {
					failed.Add(1)
					t.Errorf("%s: %s: %v", time.Now().Format(time.StampMilli), name, err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	for rotation := 0; rotation < rotations; rotation += 2 {
		prepareExpiring(t)
		for step := range 2 {
			before := servingCertificate(t)
			await.Eventually(t, 2*time.Minute, fmt.Sprintf("rotation %d", rotation+step+1), func(context.Context) error {
				now := servingCertificate(t)
				if bytes.Equal(now, before) || !bytes.Equal(served(t, server.Address+":8443"), decodePEM(t, now)) {
					return errors.New("the pair from before is served")
				}
				return nil
			})
		}
	}
	stop()
	asking.Wait()
	t.Logf("%d rotations, %d requests, %d failed", rotations, requests.Load(), failed.Load())
}

// prepareExpiring has the server use a pair that is to be renewed at once, after
// its certificate was out for as long as any other's.
func prepareExpiring(t *testing.T) {
	t.Helper()
	certificate, key := expiringFrom(t, time.Now().Add(-5*time.Minute))
	secrets := host.CoreV1().Secrets(harness.SystemNamespace)
	await.Eventually(t, soon, "the last rotation being over", func(ctx context.Context) error {
		secret, err := secrets.Get(ctx, harness.ServingSecret, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(secret.Data["next.crt"]) > 0 {
			return errors.New("a pair is to come")
		}
		secret.Data["next.crt"], secret.Data["next.key"] = certificate, key
		_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
		return err
	})
}

func dryRunPod(ctx context.Context, namespace string) error {
	off := false
	_, err := host.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "dry-"},
		Spec: corev1.PodSpec{ServiceAccountName: "app", AutomountServiceAccountToken: &off,
			Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// acknowledged is what a writer was told about a policy last: that it is stored at
// a revision, or gone.
type acknowledged struct {
	uid      string
	revision int64
	deleted  bool
}

func TestSoakKilledTenTimesUnderWritersLosesNothingAcknowledged(t *testing.T) {
	const kills, writers = 10, 8
	namespace := newNamespace(t)
	var mu sync.Mutex
	known := map[string]acknowledged{}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("w%d-%d", writer, i)
				write(ctx, namespace, name, i%4 == 3, func(a acknowledged) {
					mu.Lock()
					defer mu.Unlock()
					known[name] = a
				})
			}
		})
	}
	for range kills {
		time.Sleep(2 * time.Second) // writes are what the kill is to hit
		if err := server.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		restart, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		err := server.Start(restart)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	writing.Wait()
	missing := compare(t, namespace, known)
	t.Logf("%d kills, %d policies acknowledged, %d lost", kills, len(known), missing)
}

// write creates a policy, updates it and perhaps deletes it, and tells of each
// answer. An error leaves open what happened: then nothing is told from there on.
func write(ctx context.Context, namespace, name string, remove bool, told func(acknowledged)) {
	policy, err := create(ctx, policiesIn(namespace), name)
	if err != nil {
		return
	}
	told(stored(policy))
	policy.Labels = map[string]string{"edited": "true"}
	if policy, err = policiesIn(namespace).Update(ctx, policy, metav1.UpdateOptions{}); err != nil {
		return
	}
	told(stored(policy))
	if !remove {
		return
	}
	// Whether it is gone is open while the answer is: nothing is known about it then.
	told(acknowledged{})
	if policiesIn(namespace).Delete(ctx, name, metav1.DeleteOptions{}) == nil {
		told(acknowledged{uid: string(policy.UID), deleted: true})
	}
}

func stored(policy *v1alpha1.MeshPolicy) acknowledged {
	// etcd's revisions are what the API server's versions are.
	revision, _ := strconv.ParseInt(policy.ResourceVersion, 10, 64)
	return acknowledged{uid: string(policy.UID), revision: revision}
}

// compare reads etcd without the API server and counts what is not as acknowledged.
func compare(t *testing.T, namespace string, known map[string]acknowledged) (missing int) {
	t.Helper()
	etcd, err := clientv3.New(clientv3.Config{Endpoints: []string{"unix://" + server.DataDir + "/run/etcd.sock"}})
	if err != nil {
		t.Fatal(err)
	}
	defer etcd.Close()
	got, err := etcd.Get(t.Context(), "/registry/mesh.openservicemesh.io/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]struct {
		value    []byte
		revision int64
	}{}
	for _, kv := range got.Kvs {
		if _, name, ok := strings.Cut(string(kv.Key), "/"+namespace+"/"); ok {
			values[name] = struct {
				value    []byte
				revision int64
			}{kv.Value, kv.ModRevision}
		}
	}
	for name, want := range known {
		is, present := values[name]
		lost := present == want.deleted || !want.deleted &&
			(is.revision < want.revision || !bytes.HasPrefix(is.value, []byte(protobufMagic)) || !bytes.Contains(is.value, []byte(want.uid)))
		if want.uid != "" && lost {
			t.Errorf("%s: acknowledged %+v, etcd has it: %t, at %d", name, want, present, is.revision)
			missing++
		}
	}
	return missing
}

func TestSoakNamespaceOfAThousandPoliciesGoesWhileTheServerRestarts(t *testing.T) {
	const policies, held = 1000, 20
	namespace := newNamespace(t)
	var making sync.WaitGroup
	for maker := range 20 {
		making.Go(func() {
			for i := maker; i < policies; i += 20 {
				policy, err := create(t.Context(), policiesIn(namespace), fmt.Sprintf("policy-%d", i))
				if err == nil && i < held {
					policy.Finalizers = []string{"example.com/hold"}
					_, err = policiesIn(namespace).Update(t.Context(), policy, metav1.UpdateOptions{})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	making.Wait()
	began := time.Now()
	if err := host.CoreV1().Namespaces().Delete(t.Context(), namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := server.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, 2*time.Minute, "all policies without a finalizer being gone", func(ctx context.Context) error {
		left, err := policiesIn(namespace).List(ctx, metav1.ListOptions{})
		if err == nil && len(left.Items) != held {
			return fmt.Errorf("%d are left, want %d", len(left.Items), held)
		}
		return err
	})
	for i := range held {
		release := []byte(`[{"op":"remove","path":"/metadata/finalizers"}]`)
		if _, err := policiesIn(namespace).Patch(t.Context(), fmt.Sprintf("policy-%d", i), "application/json-patch+json", release, metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
	await.Eventually(t, 2*time.Minute, "the namespace being gone", func(ctx context.Context) error {
		_, err := host.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
	t.Logf("%d policies and their namespace were gone after %s", policies, time.Since(began).Round(time.Second))
}
