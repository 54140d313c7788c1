// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// measureWebhook asks the server's webhooks about a pod, over their port, as
// kube-apiserver does: on one connection that is open.
func measureWebhook(ctx context.Context, s *session) ([]Figure, error) {
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if err := s.makeNamespace(ctx); err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	calls, err := s.webhookCalls(ctx)
	if err != nil {
		return nil, err
	}
	injected, err := s.host.CoreV1().Pods(manyNamespace).Create(ctx, plainPod("injected"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return nil, fmt.Errorf("have a pod injected: %w", err)
	}
	var figures []Figure
	for _, call := range calls {
		// kube-apiserver asks again about a pod that others have changed
		// (reinvocationPolicy IfNeeded), and a validating webhook sees the same.
		pods := map[string]*corev1.Pod{"injected": injected}
		if call.name == "mutating" {
			pods["plain"] = plainPod("bench")
		}
		for _, kind := range slices.Sorted(maps.Keys(pods)) {
			took, err := call.measure(ctx, pods[kind])
			if err != nil {
				return figures, err
			}
			what := fmt.Sprintf("%s call (%s) about a pod that is %s", call.name, call.path, kind)
			figures = append(figures,
				Figure{Name: what + ", p50", Value: quantile(took, 0.5), Unit: "ms", Samples: len(took)},
				Figure{Name: what + ", p99", Value: quantile(took, 0.99), Unit: "ms", Samples: len(took), Aim: atMost(5)})
		}
	}
	return figures, nil
}

// webhookCall is one endpoint of the server's webhook port.
type webhookCall struct {
	name, path, host string
	roots            []byte
}

// webhookCalls are those that the installed configurations name.
func (s *session) webhookCalls(ctx context.Context) ([]webhookCall, error) {
	mutating, err := s.host.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	validating, err := s.host.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var calls []webhookCall
	seen := map[string]bool{}
	add := func(name string, config admissionregistrationv1.WebhookClientConfig) {
		if config.Service == nil || config.Service.Namespace != harness.SystemNamespace || config.Service.Path == nil || seen[name+*config.Service.Path] {
			return
		}
		seen[name+*config.Service.Path] = true
		calls = append(calls, webhookCall{name: name, path: *config.Service.Path, host: s.mesh.Address + ":9443", roots: config.CABundle})
	}
	for _, c := range mutating.Items {
		for _, w := range c.Webhooks {
			add("mutating", w.ClientConfig)
		}
	}
	for _, c := range validating.Items {
		for _, w := range c.Webhooks {
			add("validating", w.ClientConfig)
		}
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("the manifests name no webhook of the mesh")
	}
	return calls, nil
}

// measure takes the time of requests, in milliseconds, after some to warm up.
func (c webhookCall) measure(ctx context.Context, pod *corev1.Pod) ([]float64, error) {
	const warm, samples = 200, 3000
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.roots)
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: harness.ServerName, MinVersion: tls.VersionTLS13},
	}}
	defer client.CloseIdleConnections()
	raw, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	review, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Namespace: manyNamespace, Operation: admissionv1.Create, Name: pod.Name,
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		return nil, err
	}
	var took []float64
	for i := range warm + samples {
		start := time.Now()
		if err := c.ask(ctx, client, review); err != nil {
			return nil, err
		}
		if i >= warm {
			took = append(took, milliseconds(time.Since(start)))
		}
	}
	return took, nil
}

// ask sends a review and reads the answer, which must be that the pod may be made.
func (c webhookCall) ask(ctx context.Context, client *http.Client, review []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+c.host+c.path, bytes.NewReader(review))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %s: %w", c.path, response.Status, err)
	}
	if answer.Response == nil || !answer.Response.Allowed {
		return fmt.Errorf("%s refuses: %s", c.path, body)
	}
	return nil
}
