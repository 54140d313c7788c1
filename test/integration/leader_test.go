// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/server/leader"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// takeover is less than any replica waits for a lease that another does not renew
// (15 s), and more than one that is free takes.
const takeover = 12 * time.Second

func holder(t *testing.T, namespace string) string {
	t.Helper()
	lease, err := host.CoordinationV1().Leases(namespace).Get(t.Context(), leader.LeaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return *lease.Spec.HolderIdentity
}

// A restart waits for no lease to run out, not even after a kill.
func TestServerThatComesBackLeadsAtOnce(t *testing.T) {
	before := holder(t, harness.SystemNamespace)
	if err := server.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Launch(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if err := server.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	await.Eventually(t, takeover, "the server leading", server.Leads)
	if after := holder(t, harness.SystemNamespace); after != before {
		t.Errorf("the lease is of %s, and was of %s", after, before)
	}
	setBack(t)
}

// A server that cannot renew its lease stops what only one may do, and nothing else.
func TestServerWithoutItsLeaseServesOn(t *testing.T) {
	namespace := newNamespace(t)
	kubectl(t, "", "delete", "rolebinding", "-n", harness.SystemNamespace, "mesh-apiserver-leader")
	restore := sync.OnceFunc(func() { kubectl(t, "", "apply", "-f", kube.Manifest("rbac-leader.yaml")) })
	defer restore()
	await.Eventually(t, soon, "the server leading no more", func(ctx context.Context) error {
		if server.Leads(ctx) == nil {
			return errors.New("it leads")
		}
		return nil
	})

	if err := client.MeshV1alpha1().MeshConfigs().Delete(t.Context(), v1alpha1.MeshConfigName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	newPolicy(t, namespace)
	time.Sleep(silence)
	ask(t, "/readyz")
	if _, err := client.MeshV1alpha1().MeshConfigs().Get(t.Context(), v1alpha1.MeshConfigName, metav1.GetOptions{}); err == nil {
		t.Error("there is a MeshConfig, which the leader alone makes")
	}
	if hasStatus(t, namespace) {
		t.Error("the policy has a status, which the leader alone writes")
	}

	restore()
	await.Eventually(t, soon, "the server leading again", server.Leads)
	await.Eventually(t, soon, "a MeshConfig", func(ctx context.Context) error {
		_, err := client.MeshV1alpha1().MeshConfigs().Get(ctx, v1alpha1.MeshConfigName, metav1.GetOptions{})
		return err
	})
	await.Eventually(t, soon, "the policy's status", func(context.Context) error {
		if !hasStatus(t, namespace) {
			return errors.New("it has none")
		}
		return nil
	})
}

// hasStatus tells whether the policy of a namespace has one.
func hasStatus(t *testing.T, namespace string) bool {
	t.Helper()
	policy, err := policiesIn(namespace).Get(t.Context(), "readers", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(policy.Status.Conditions) > 0
}

// A second server serves and does not lead, until the first has ended.
func TestSecondServerLeadsWhenTheFirstHasEnded(t *testing.T) {
	sibling := server.Sibling("follower", harness.SecondAddress, "--shutdown-delay-duration=0s")
	launch(t, sibling)
	if sibling.Leads(t.Context()) == nil || server.Leads(t.Context()) != nil {
		t.Fatal("the second server leads beside the first")
	}
	stopForTest(t)
	await.Eventually(t, takeover, "the second server leading", sibling.Leads)
	// The caBundles are the leader's to keep.
	stripBundles(t)
	awaitBundles(t, servingCertificate(t))
	if err := sibling.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Two in one process, so that nothing but the lease keeps them apart.
func TestLeaseIsReleasedAfterTheWork(t *testing.T) {
	namespace := newNamespace(t)
	var working atomic.Int32
	begun := make(chan string, 10)
	run := func(name string) (stop func()) {
		l, err := leader.New(kube.Admin, namespace, name)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			ended <- l.Run(ctx, func(term context.Context) {
				if working.Add(1) > 1 {
					t.Error("two lead at once")
				}
				begun <- name
				<-term.Done()
				time.Sleep(3 * time.Second) // longer than the other takes to look
				working.Add(-1)
			})
		}()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := run("one")
	if name := <-begun; name != "one" {
		t.Fatalf("%s leads", name)
	}
	stopOther := run("other")
	stop()
	ended := time.Now()
	if name := <-begun; name != "other" || time.Since(ended) > takeover {
		t.Errorf("%s leads after %s", name, time.Since(ended))
	}
	stopOther()
}
