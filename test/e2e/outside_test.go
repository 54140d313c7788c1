// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
	"github.com/openservicemesh/mesh-apiserver/test/pki"
)

// The setting is that of docs/meshconfig.md, "Callers outside the mesh". It
// changes the MeshConfig, so the test is not parallel.
func TestWhatIsOutsideIsLetInByTheDocumentedSetting(t *testing.T) {
	shop := live.Shop(t)
	certificate, bundle := selfSigned(t, "webhook."+shop.Namespace+".svc")
	webhook := startWebhook(t, shop.Namespace, bundle)
	register(t, shop.Namespace, certificate)
	node := nodePort(t, shop)
	scrape := "http://" + net.JoinHostPort(shop.IP, "8080") + "/metrics"

	wantGet(t, buyer, "200", shop.URL("/"))
	wantGet(t, outsider, "no answer", scrape)
	if got := fetch(t.Context(), node); got != "no answer" {
		t.Errorf("a NodePort caller got %s while mtls is Strict", got)
	}
	if err := configMap(t, shop.Namespace); err == nil {
		t.Error("kube-apiserver reached the webhook while mtls is Strict")
	}

	live.Configure(t, `{"spec":{"traffic":{"podsMayLoosen":["mtls"]}}}`)
	shop.Annotate(t, "mtls-ports", "8080=Permissive")
	webhook.Annotate(t, "mtls-ports", "9443=Permissive")
	wantGet(t, outsider, "200", scrape)
	await.State(t, soon, func() (string, bool) {
		got := fetch(t.Context(), node)
		return "a NodePort caller got " + got, got == "200"
	})
	await.State(t, soon, func() (string, bool) {
		err := configMap(t, shop.Namespace)
		return fmt.Sprintf("kube-apiserver and the webhook: %v", err), err == nil
	})
	wantGet(t, buyer, "200", shop.URL("/"))

	// Only what a policy then says is let in.
	live.Policy(t, shop.Namespace, "scraping", fmt.Sprintf(`
selector: {matchLabels: {app: shop}}
action: Allow
rules:
- from: [{authenticated: {}}]
  to: [{all: {}}]
- from: [{anonymous: {}, ipBlocks: [{cidr: %s/32}]}]
  to: [{ports: [8080], http: {methods: [GET], paths: [{type: Exact, value: /metrics}]}}]
`, outsider.IP))
	wantGet(t, outsider, "200", scrape)
	wantGet(t, outsider, "403", direct(shop))
	wantGet(t, buyer, "200", shop.URL("/"))
	await.State(t, soon, func() (string, bool) {
		got := fetch(t.Context(), node)
		return "a NodePort caller whom no Allow admits got " + got, got == "403"
	})
}

// nodePort makes a Service of the shop at a port of the node, and gives its URL there.
func nodePort(t *testing.T, shop *cluster.Shop) string {
	t.Helper()
	service, err := live.Core.CoreV1().Services(shop.Namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "outside"},
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeNodePort,
			Selector: map[string]string{"app": "shop"},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080), AppProtocol: ptr.To("http")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("make a NodePort Service: %v", err)
	}
	node, err := live.Core.CoreV1().Nodes().Get(t.Context(), shop.Node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return "http://" + net.JoinHostPort(address.Address, fmt.Sprint(service.Spec.Ports[0].NodePort)) + "/"
		}
	}
	t.Fatalf("node %s has no address: %v", node.Name, node.Status.Addresses)
	return ""
}

// fetch makes a request from this machine, on a connection of its own.
func fetch(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return "no answer"
	}
	defer response.Body.Close()
	return fmt.Sprint(response.StatusCode)
}

func startWebhook(t *testing.T, namespace string, bundle []byte) *cluster.Pod {
	t.Helper()
	app := cluster.Container("app", "admit", "--bundle="+string(bundle))
	app.Ports = []corev1.ContainerPort{{Name: "https", ContainerPort: 9443}}
	pod, err := live.Start(t.Context(), cluster.Manifest(namespace, "webhook", app))
	if err != nil {
		t.Fatal(err)
	}
	_, err = live.Core.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "webhook"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "webhook"},
			Ports:    []corev1.ServicePort{{Name: "https", Port: 443, TargetPort: intstr.FromString("https")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("make the webhook's Service: %v", err)
	}
	return pod
}

// register has kube-apiserver ask the webhook of a namespace for its ConfigMaps.
func register(t *testing.T, namespace string, certificate []byte) {
	t.Helper()
	webhooks := live.Core.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := webhooks.Create(t.Context(), &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "bookstore.example.com",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{CABundle: certificate, Service: &admissionregistrationv1.ServiceReference{Namespace: namespace, Name: "webhook"}},
			Rules:                   []admissionregistrationv1.RuleWithOperations{{Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create}, Rule: admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}}}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
			TimeoutSeconds:          ptr.To(int32(3)),
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("register the webhook: %v", err)
	}
	t.Cleanup(func() {
		if err := webhooks.Delete(context.Background(), namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("take the webhook away: %v", err)
		}
	})
}

// configMap tries to create one, which kube-apiserver asks the webhook about.
func configMap(t *testing.T, namespace string) error {
	_, err := live.Core.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "asked-"},
	}, metav1.CreateOptions{})
	if err != nil && !strings.Contains(err.Error(), "failed calling webhook") {
		t.Fatalf("create a ConfigMap: %v", err)
	}
	return err
}

// selfSigned makes a certificate for a DNS name, and the same with its key.
func selfSigned(t *testing.T, name string) (certificate, bundle []byte) {
	t.Helper()
	pair, err := pki.SelfSigned(pki.Leaf{Name: name, DNSNames: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	return pair.Certificate, slices.Concat(pair.Certificate, pair.Key)
}
