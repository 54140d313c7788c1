// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// mesh is an Authority before an API server, and the proxies that it waits for.
type mesh struct {
	*Authority
	api     *api
	client  kubernetes.Interface
	events  *events.FakeRecorder
	lacking []string
	// present is the database, unless silent.
	present root.Database
	silent  bool
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	m := &mesh{events: events.NewFakeRecorder(100), present: root.Database{ID: "first"}}
	m.api, m.client = newAPI(t)
	m.restart(t)
	return m
}

// restart is a new Authority, which has forgotten what is not in the API server,
// and has served for as long as it must.
func (m *mesh) restart(t *testing.T) {
	t.Helper()
	renewal := Renewal{PublishFor: time.Nanosecond, Lacking: func([]byte) []string { return m.lacking }}
	m.Authority = New(m.client, "mesh-system", renewal, m.database, m.events)
	m.reconcile(t)
	m.begin()
	m.leading.Store(true)
}

func (m *mesh) database(context.Context) (root.Database, error) {
	if m.silent {
		return root.Database{}, errors.New("etcd does not answer")
	}
	return m.present, nil
}

func (m *mesh) reconcile(t *testing.T) {
	t.Helper()
	if err := m.Reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (m *mesh) annotate(t *testing.T, name, value string) {
	t.Helper()
	secret := m.secret(t)
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, name, value)
	if _, err := m.client.CoreV1().Secrets("mesh-system").Update(context.Background(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (m *mesh) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret, err := m.client.CoreV1().Secrets("mesh-system").Get(context.Background(), root.SecretName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// signer is the root that signs.
func (m *mesh) signer(t *testing.T) string {
	t.Helper()
	issuer, err := m.CA(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return root.Fingerprint(issuer.Certificate.Raw)
}

func (m *mesh) want(t *testing.T, phase root.Phase, signer string, trusted int) {
	t.Helper()
	if got := m.state.ring.Phase(); got != phase {
		t.Errorf("phase %s, want %s", got, phase)
	}
	if got := m.signer(t); got != signer {
		t.Errorf("%s: %.8s signs, want %.8s", phase, got, signer)
	}
	if got := strings.Count(string(m.Roots()), "BEGIN CERTIFICATE"); got != trusted {
		t.Errorf("%s: %d roots are trusted, want %d", phase, got, trusted)
	}
}

// The server is started anew after each step.
func TestRenewalGoesOnAfterARestartAtEveryStep(t *testing.T) {
	m := newMesh(t)
	old := m.signer(t)
	m.want(t, root.Stable, old, 1)

	m.annotate(t, root.RenewAnnotation, root.RenewNow)
	m.reconcile(t)
	m.want(t, root.Spreading, old, 2)
	next := m.state.ring.Next.Fingerprint()

	m.lacking = []string{"shop/buyer/1"}
	m.restart(t)
	for range 3 {
		m.reconcile(t)
		m.want(t, root.Spreading, old, 2)
	}
	if m.state.ring.Published.IsZero() {
		t.Error("since when the next root is published is not noted")
	}
	m.restart(t)
	m.want(t, root.Spreading, old, 2)

	m.lacking = nil
	m.reconcile(t)
	m.want(t, root.Retiring, next, 2)
	m.restart(t)
	m.reconcile(t)
	m.want(t, root.Retiring, next, 2)

	m.annotate(t, root.UntilAnnotation, time.Now().Format(time.RFC3339))
	m.restart(t)
	m.reconcile(t)
	m.want(t, root.Stable, next, 1)

	for _, want := range []string{"RootRenewalBegun", "RootRenewalWaits", "RootRenewed", "RootRetired"} {
		event := <-m.events.Events
		if !strings.Contains(event, want) || want == "RootRenewalWaits" && !strings.Contains(event, "shop/buyer/1") {
			t.Errorf("got Event %q, want %s", event, want)
		}
	}
}

func TestNothingIsRenewedBeforeProxiesCanConnect(t *testing.T) {
	m := newMesh(t)
	m.annotate(t, root.RenewAnnotation, root.RenewNow)
	m.Authority = New(m.client, "mesh-system", Renewal{}, m.database, m.events)
	m.reconcile(t)
	m.want(t, root.Stable, m.signer(t), 1)
}

func TestBundleThatLosesTheNextRootBeginsItsTimeAnew(t *testing.T) {
	m := newMesh(t)
	m.lacking = []string{"shop/buyer/1"}
	m.annotate(t, root.RenewAnnotation, root.RenewNow)
	m.reconcile(t)
	m.reconcile(t)
	if m.state.ring.Published.IsZero() {
		t.Fatal("not noted")
	}
	bundles := m.client.CertificatesV1().ClusterTrustBundles()
	edited, err := bundles.Get(context.Background(), sidecar.TrustBundle, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	edited.Spec.TrustBundle = string(m.state.ring.Signing.PEM())
	if _, err := bundles.Update(context.Background(), edited, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	m.reconcile(t)
	if !m.state.ring.Published.IsZero() {
		t.Error("its time goes on")
	}
	m.want(t, root.Spreading, m.signer(t), 2)
}

func TestSecretThatMayNotBeWrittenStopsTheRenewalAlone(t *testing.T) {
	m := newMesh(t)
	m.annotate(t, root.RenewAnnotation, root.RenewNow)
	m.api.readOnly = true
	if err := m.Reconcile(context.Background()); err == nil {
		t.Error("no error, so it is not tried again")
	}
	m.want(t, root.Stable, m.signer(t), 1)
}

// Both have read the Secret before either writes it.
func TestOfTwoServersThatBeginOneMakesTheNextRoot(t *testing.T) {
	m := newMesh(t)
	m.annotate(t, root.RenewAnnotation, root.RenewNow)
	renewal := Renewal{PublishFor: time.Hour, Lacking: func([]byte) []string { return nil }}
	other := New(m.client, "mesh-system", renewal, m.database, events.NewFakeRecorder(100))
	other.begin()
	other.leading.Store(true)
	m.api.afterGet = func() { // the bundle is read
		m.api.afterGet = func() { m.reconcile(t) } // and the Secret
	}
	if err := other.Reconcile(context.Background()); !apierrors.IsConflict(err) {
		t.Fatalf("the slower one got error %v, want a conflict", err)
	}
	if err := other.Reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, want := other.state.ring.Next.Fingerprint(), m.state.ring.Next.Fingerprint(); got != want {
		t.Errorf("the slower one has the next root %.8s, want %.8s", got, want)
	}
}

func TestLeafLongerThanAllBeforeIsSignedOnceThatIsRecorded(t *testing.T) {
	m := newMesh(t)
	if _, err := m.CA(48 * time.Hour); !errors.Is(err, errUnrecorded) {
		t.Fatalf("got error %v, want errUnrecorded", err)
	}
	m.reconcile(t)
	if _, err := m.CA(48 * time.Hour); err != nil {
		t.Error(err)
	}
	if got := m.secret(t).Annotations[root.LongestAnnotation]; got != "48h0m0s" {
		t.Errorf("recorded %q", got)
	}
}

// A copy from before the renewal has a root that signs no more.
func TestSecretRestoredFromBeforeARenewalStopsIssuing(t *testing.T) {
	m := newMesh(t)
	before := m.secret(t)
	m.annotate(t, root.RenewAnnotation, root.RenewNow)
	for range 3 {
		m.reconcile(t)
	}
	m.want(t, root.Retiring, m.signer(t), 2)
	copied := &corev1.Secret{ObjectMeta: before.ObjectMeta, Type: before.Type, Data: before.Data}
	copied.ResourceVersion = m.secret(t).ResourceVersion
	if _, err := m.client.CoreV1().Secrets("mesh-system").Update(context.Background(), copied, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	trusted := string(m.Roots())
	m.reconcile(t)
	if m.Ready() == nil {
		t.Error("signs")
	}
	if string(m.Roots()) != trusted {
		t.Error("the roots that are trusted have changed")
	}
}
