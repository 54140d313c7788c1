// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// measureIssue compares request to verified chain with what the standard
// library needs for the same, in runs that alternate; and takes the way through
// kube-apiserver, from a kubelet's request to the chain in its status.
func measureIssue(ctx context.Context, s *session) ([]Figure, error) {
	figures, rateErr := issueRate(ctx)
	if err := s.start(ctx); err != nil {
		return figures, errors.Join(rateErr, err)
	}
	more, err := s.issueEndToEnd(ctx)
	return append(figures, more...), errors.Join(rateErr, err)
}

func issueRate(ctx context.Context) ([]Figure, error) {
	const runs = 7
	// One process a run has both, one after the other. -cpu 1 makes it a core's.
	var ours, bare, ratio []float64
	for range runs {
		values, err := goBench(ctx, "./apiserver/controller/identity/signer", "^Benchmark(BareIssue|Issue)$", 1, "-cpu", "1")
		if err != nil {
			return nil, err
		}
		o, b := values["BenchmarkIssue"]["ns/op"], values["BenchmarkBareIssue"]["ns/op"]
		if len(o) == 0 || len(b) == 0 {
			return nil, fmt.Errorf("BenchmarkIssue and BenchmarkBareIssue are not both there")
		}
		ours, bare = append(ours, 1e9/o[0]), append(bare, 1e9/b[0])
		ratio = append(ratio, 100*b[0]/o[0])
	}
	return []Figure{
		{Name: "request to verified chain, a second a core", Value: median(ours), Samples: runs},
		{Name: "x509.CreateCertificate and Verify alone, a second a core", Value: median(bare), Samples: runs},
		{Name: "of the bare rate, median of the runs' ratios", Value: median(ratio), Unit: "%", Samples: runs, Aim: atLeast(90)},
	}, nil
}

// issueEndToEnd asks for certificates as a kubelet does: one after the other, then
// sixteen at a time.
func (s *session) issueEndToEnd(ctx context.Context) ([]Figure, error) {
	const requests = 200
	if err := s.makeNamespace(ctx); err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	pod, err := s.host.CoreV1().Pods(manyNamespace).Create(ctx, plainPod("asks"), metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	config, err := s.kube.As("system:node:"+nodeName, "system:nodes")
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	kubelet, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	made, err := s.certificateRequests(ctx, pod, requests+1)
	if err != nil {
		return nil, err
	}
	ask := func(i int) error {
		_, err := kubelet.CertificatesV1().PodCertificateRequests(manyNamespace).Create(ctx, made[i], metav1.CreateOptions{})
		return err
	}
	watch, err := s.host.CertificatesV1().PodCertificateRequests(manyNamespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	// Caches of kube-apiserver may not know the pod yet.
	if err := await(ctx, "the first request being taken", func(context.Context) error { return ask(requests) }); err != nil {
		return nil, err
	}
	answered := make(chan time.Time, requests+1)
	go func() {
		seen := map[types.UID]bool{}
		for event := range watch.ResultChan() {
			r, ok := event.Object.(*certificatesv1.PodCertificateRequest)
			if ok && r.Status.CertificateChain != "" && !seen[r.UID] {
				seen[r.UID] = true
				answered <- time.Now()
			}
		}
		close(answered)
	}()
	next := func() (time.Time, error) {
		select {
		case at, ok := <-answered:
			if !ok {
				return at, fmt.Errorf("the watch of the requests has ended")
			}
			return at, nil
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for a certificate: %w", ctx.Err())
		}
	}
	if _, err := next(); err != nil {
		return nil, err
	}
	var took []float64
	for i := range requests / 2 {
		sent := time.Now()
		if err := ask(i); err != nil {
			return nil, err
		}
		at, err := next()
		if err != nil {
			return nil, err
		}
		took = append(took, milliseconds(at.Sub(sent)))
	}
	start := time.Now()
	if err := inParallel(requests/2, func(i int) error { return ask(requests/2 + i) }); err != nil {
		return nil, err
	}
	var last time.Time
	for range requests / 2 {
		if last, err = next(); err != nil {
			return nil, err
		}
	}
	return []Figure{
		{Name: "kubelet's request sent → chain seen in a watch, p50", Value: quantile(took, 0.5), Unit: "ms", Samples: len(took)},
		{Name: "kubelet's request sent → chain seen in a watch, p99", Value: quantile(took, 0.99), Unit: "ms", Samples: len(took)},
		{Name: "with all writes, sixteen requests at a time, a second", Value: requests / 2 / last.Sub(start).Seconds(), Samples: requests / 2},
	}, nil
}

// certificateRequests are n as a kubelet makes them, for one pod. They are made
// before the clock starts: that is the kubelet's work.
func (s *session) certificateRequests(ctx context.Context, pod *corev1.Pod, n int) ([]*certificatesv1.PodCertificateRequest, error) {
	account, err := s.host.CoreV1().ServiceAccounts(manyNamespace).Get(ctx, manyAccount, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	node, err := s.host.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	requests := make([]*certificatesv1.PodCertificateRequest, n)
	for i := range requests {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		stub, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			return nil, err
		}
		requests[i] = &certificatesv1.PodCertificateRequest{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-", Namespace: manyNamespace},
			Spec: certificatesv1.PodCertificateRequestSpec{
				SignerName: sidecar.Signer, PodName: pod.Name, PodUID: pod.UID,
				ServiceAccountName: account.Name, ServiceAccountUID: account.UID,
				NodeName: nodeName, NodeUID: node.UID,
				MaxExpirationSeconds: ptr.To(int32(86400)), StubPKCS10Request: stub,
			},
		}
	}
	return requests, nil
}
