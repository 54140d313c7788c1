// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// Strangers are twenty addresses, each of which sends as many large reviews as it may
// and never ends one.
func TestLargePodsAreMadeAtOnceWhileManySendLargeReviewsSlowly(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "app")
	ctx, cancel := context.WithCancel(t.Context())
	var strangers sync.WaitGroup
	defer strangers.Wait()
	defer cancel()
	sending := make(chan struct{}, 1000)
	for i := range 20 {
		for range 2 {
			strangers.Go(func() {
				for ctx.Err() == nil {
					sendSlowly(ctx, fmt.Sprintf("127.0.0.%d", 10+i), sending)
					// The memory of the server is the subject, not the processor.
					select {
					case <-ctx.Done():
					case <-time.After(200 * time.Millisecond):
					}
				}
			})
		}
	}
	for range 40 {
		<-sending
	}
	made := 0
	bestOfThree(t, 3*time.Second, "a pod of 128 KiB", func() time.Duration {
		made++
		begin := time.Now()
		pod := newPod(t, namespace, fmt.Sprintf("large-%d", made), "app", func(pod *corev1.Pod) {
			pod.Annotations = map[string]string{"example.com/large": strings.Repeat("x", 128<<10)}
		})
		if !injected(pod) {
			t.Error("the pod has no proxy")
		}
		return time.Since(begin)
	})
}

// sendSlowly sends a megabyte of a larger review, and no more until the server ends it.
func sendSlowly(ctx context.Context, from string, sending chan<- struct{}) {
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}},
		Config:    &tls.Config{InsecureSkipVerify: true},
	}
	connection, err := dialer.DialContext(ctx, "tcp", server.Address+":9443")
	if err != nil {
		return
	}
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { connection.Close() })()
	fmt.Fprintf(connection, "POST /inject HTTP/1.1\r\nHost: mesh\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", 2<<20)
	_, _ = connection.Write(bytes.Repeat([]byte(" "), 1<<20))
	select {
	case sending <- struct{}{}:
	default:
	}
	_, _ = io.Copy(io.Discard, connection)
}

func TestStrangersGetOneAnswerForNamespacesThatAreNotTheMeshs(t *testing.T) {
	plain := newNamespace(t)
	config := &tls.Config{InsecureSkipVerify: true}
	said := map[string]string{}
	for name, namespace := range map[string]string{"absent": "nowhere", "not of the mesh": plain, "the cluster's own": "kube-system"} {
		response := ask9443(t, config, namespace)
		if response.Allowed {
			t.Errorf("%s: admitted", name)
			continue
		}
		said[strings.ReplaceAll(response.Result.Message, namespace, "NAMESPACE")] += name + " "
	}
	if len(said) != 1 {
		t.Errorf("got %d answers, want one: %v", len(said), said)
	}
}

// kube-apiserver has a client certificate for the webhook in its AdmissionConfiguration.
func TestWebhookThatDemandsACertificateIsForTheAPIServerAlone(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "app")
	stopForTest(t)
	usual := server
	demanding := usual.Sibling("demanding-certificates", harness.MeshAddress,
		"--webhook-client-ca-file="+kube.ClientCA(), "--webhook-client-names="+harness.WebhookClient)
	demanding.DataDir = usual.DataDir
	launchAgain(t, demanding)
	server = demanding
	t.Cleanup(func() { server = usual })

	if pod := newPod(t, namespace, "buyer", "app"); !injected(pod) {
		t.Error("the pod has no proxy")
	}
	for name, by := range map[string]string{"without a certificate": "", "with another's": "system:node:node-a"} {
		config := &tls.Config{InsecureSkipVerify: true}
		if by != "" {
			certificate, err := kube.Certificate(by)
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{certificate}
		}
		if _, err := post9443(t.Context(), config, namespace); err == nil || !strings.Contains(err.Error(), "tls: ") {
			t.Errorf("%s: got %v, want a refusal of the handshake", name, err)
		}
	}
	certificate, err := kube.Certificate(harness.WebhookClient)
	if err != nil {
		t.Fatal(err)
	}
	ask9443(t, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}}, namespace)
}

// ask9443 sends a review about a pod, as any client may, and gives what was decided.
func ask9443(t *testing.T, config *tls.Config, namespace string) *admissionv1.AdmissionResponse {
	t.Helper()
	response, err := post9443(t.Context(), config, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func post9443(ctx context.Context, config *tls.Config, namespace string) (*admissionv1.AdmissionResponse, error) {
	pod, err := json.Marshal(podOf("stranger", "default"))
	if err != nil {
		return nil, err
	}
	review := admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{UID: "1", Namespace: namespace, Operation: admissionv1.Create,
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"}},
	}
	review.Request.Object.Raw = pod
	body, err := json.Marshal(review)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+server.Address+":9443/inject", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&review); err != nil {
		return nil, fmt.Errorf("%s: %w", response.Status, err)
	}
	return review.Response, nil
}

func injected(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == "mesh-proxy" })
}
