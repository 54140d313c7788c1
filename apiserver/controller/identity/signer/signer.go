// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package signer answers PodCertificateRequests (certificates.k8s.io/v1, KEP-4317)
// for the mesh's signer: it compares each with the live pod, and signs a workload
// certificate, denies it, or leaves it for another try.
package signer

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/certificates/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/admission"
)

// Signer answers requests. Its client must not be throttled: a pod does not start
// before its answer.
type Signer struct {
	client kubernetes.Interface
	issuer Issuer
	// trust gives the published roots.
	trust     func() *x509.CertPool
	admission *admission.Watch
	settings  func() Settings
	// systemNamespace is that of the control plane.
	systemNamespace string

	requests listers.PodCertificateRequestLister
	informer cache.SharedIndexInformer
	queue    workqueue.TypedRateLimitingInterface[cache.ObjectName]
}

// answer does what can be done now for one request. An error means that the
// request stays unanswered and is to be looked at again.
func (s *Signer) answer(ctx context.Context, key cache.ObjectName) error {
	begin := time.Now()
	request, err := s.requests.PodCertificateRequests(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up request: %w", err)
	}
	if len(request.Status.Conditions) > 0 {
		return nil
	}
	verdict, status, err := s.judge(ctx, request)
	if err != nil {
		return err
	}
	if err := s.write(ctx, request, status); err != nil {
		return err
	}
	observe(verdict, time.Since(begin))
	log := klog.FromContext(ctx).WithValues("request", key, "pod", request.Spec.PodName, "serviceAccount", request.Spec.ServiceAccountName)
	if verdict.Outcome == Deny {
		log.Info("Denied a certificate", "reason", verdict.Reason, "message", verdict.Message)
	} else {
		log.V(2).Info("Issued a certificate", "notAfter", status.NotAfter, "beginRefreshAt", status.BeginRefreshAt)
	}
	return nil
}

// judge decides on a request and makes the status that answers it.
func (s *Signer) judge(ctx context.Context, request *certificatesv1.PodCertificateRequest) (Verdict, certificatesv1.PodCertificateRequestStatus, error) {
	none := certificatesv1.PodCertificateRequestStatus{}
	if err := s.admission.Ready(); err != nil {
		return Verdict{}, none, err
	}
	if first := replayed(s.informer.GetIndexer(), request); first != "" {
		return Verdict{}, none, fmt.Errorf("its stub is that of request %s, and good for one request", first)
	}
	if err := s.issuer.Ready(); err != nil {
		return Verdict{}, none, err
	}
	live, err := s.live(ctx, request)
	if err != nil {
		return Verdict{}, none, err
	}
	verdict := Decide(request, live, s.systemNamespace)
	switch verdict.Outcome {
	case Issue:
		status, err := issue(ctx, verdict, s.settings(), request.Spec.MaxExpirationSeconds, s.issuer, s.trust(), time.Now())
		return verdict, status, err
	case Deny:
		return verdict, denial(verdict, time.Now()), nil
	default:
		return verdict, none, fmt.Errorf("not answered yet: %s", verdict.Message)
	}
}

// live reads what a request names.
func (s *Signer) live(ctx context.Context, request *certificatesv1.PodCertificateRequest) (Live, error) {
	var live Live
	var err error
	if live.Pod, err = s.pod(ctx, request); err != nil {
		return Live{}, err
	}
	if live.Account, err = s.account(ctx, request); err != nil {
		return Live{}, err
	}
	live.Namespace, err = s.namespace(ctx, request.Namespace)
	return live, err
}

// pod reads the live pod, nil if there is none: a cache may be behind, and both
// answers are final.
func (s *Signer) pod(ctx context.Context, request *certificatesv1.PodCertificateRequest) (*corev1.Pod, error) {
	pod, err := s.client.CoreV1().Pods(request.Namespace).Get(ctx, request.Spec.PodName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read pod: %w", err)
	}
	return pod, nil
}

// account reads the live service account, nil if there is none.
func (s *Signer) account(ctx context.Context, request *certificatesv1.PodCertificateRequest) (*corev1.ServiceAccount, error) {
	account, err := s.client.CoreV1().ServiceAccounts(request.Namespace).Get(ctx, request.Spec.ServiceAccountName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	}
	return account, nil
}

// namespace reads the live namespace, nil if there is none.
func (s *Signer) namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	namespace, err := s.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read namespace: %w", err)
	}
	return namespace, nil
}

// write gives a request its one status. A request that was deleted needs none.
func (s *Signer) write(ctx context.Context, request *certificatesv1.PodCertificateRequest, status certificatesv1.PodCertificateRequestStatus) error {
	answered := request.DeepCopy()
	answered.Status = status
	_, err := s.client.CertificatesV1().PodCertificateRequests(request.Namespace).UpdateStatus(ctx, answered, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write status of request: %w", err)
	}
	return nil
}
