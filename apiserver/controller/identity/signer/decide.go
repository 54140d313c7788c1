// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/membership"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// Outcome is what becomes of a request.
type Outcome string

// The outcomes. Denied is final for a pod, so it is kept for what no later look
// could see otherwise; Wait leaves the request unanswered, to be looked at again.
const (
	Issue Outcome = "Issue"
	Deny  Outcome = "Deny"
	Wait  Outcome = "Wait"
)

// Reasons of a denial, the first two by the words of the API.
const (
	UnsupportedKeyType     = certificatesv1.PodCertificateRequestConditionUnsupportedKeyType
	UnsupportedAnnotations = certificatesv1.PodCertificateRequestConditionInvalidUserConfig
	RequestMalformed       = "RequestMalformed"
	RequestNotEmpty        = "RequestNotEmpty"
	PodGone                = "PodGone"
	PodReplaced            = "PodReplaced"
	PodFinished            = "PodFinished"
	NodeMismatch           = "NodeMismatch"
	AccountMismatch        = "ServiceAccountMismatch"
	AccountReplaced        = "ServiceAccountReplaced"
	NotInjected            = "ProxyNotInjected"
	NotInMesh              = "NotInMesh"
)

// Verdict is an outcome and what it rests on: for Issue the name and the key to
// certify, else a reason (Deny only) and a sentence.
type Verdict struct {
	Outcome Outcome
	Name    leaf.Name
	Key     *ecdsa.PublicKey
	Reason  string
	Message string
}

// Live is what the API server has under the names in a request, nil where it has
// nothing. It is read for this request and from no cache, since a denial is final.
type Live struct {
	Pod       *corev1.Pod
	Account   *corev1.ServiceAccount
	Namespace *corev1.Namespace
}

// Decide compares a request with what is live. systemNamespace is that of the
// control plane, whose pods are never in the mesh.
//
// A pod that has started has had a certificate (membership.HasStarted), and is
// denied a new one only if pod UID or account no longer match; whatever else is
// wrong with its refresh stays unanswered, which gives no certificate either. So the
// labels that put a pod in the mesh count for its first certificate alone. The
// node's UID is left to NodeRestriction, since a node that registers again keeps its
// pods.
func Decide(request *certificatesv1.PodCertificateRequest, live Live, systemNamespace string) Verdict {
	v := decide(request, live, systemNamespace)
	if v.Outcome == Deny && live.Pod != nil && membership.HasStarted(live.Pod) && !endsRefresh(v.Reason) {
		return wait("a running pod is not denied for %s: %s", v.Reason, v.Message)
	}
	return v
}

// endsRefresh tells whether a reason is that pod UID or account no longer match.
func endsRefresh(reason string) bool {
	switch reason {
	case PodReplaced, AccountMismatch, AccountReplaced:
		return true
	default:
		return false
	}
}

func decide(request *certificatesv1.PodCertificateRequest, live Live, systemNamespace string) Verdict {
	if request.Spec.SignerName != sidecar.Signer {
		return wait("request is for signer %q", request.Spec.SignerName)
	}
	if v := checkPod(request, live.Pod); v != nil {
		return *v
	}
	if v := checkMembership(live, systemNamespace); v != nil {
		return *v
	}
	if v := checkAccount(request, live.Account); v != nil {
		return *v
	}
	if len(request.Spec.UnverifiedUserAnnotations) > 0 {
		return deny(UnsupportedAnnotations, "this signer takes no userAnnotations")
	}
	key, v := checkKey(request.Spec.StubPKCS10Request)
	if v != nil {
		return *v
	}
	return Verdict{
		Outcome: Issue,
		Key:     key,
		Name: leaf.Name{
			Namespace:      request.Namespace,
			ServiceAccount: request.Spec.ServiceAccountName,
			Pod:            request.Spec.PodName,
			UID:            string(request.Spec.PodUID),
		},
	}
}

func checkPod(request *certificatesv1.PodCertificateRequest, pod *corev1.Pod) *Verdict {
	spec := request.Spec
	var v Verdict
	switch {
	case pod == nil:
		v = deny(PodGone, "there is no pod %q", spec.PodName)
	case pod.UID != spec.PodUID:
		v = deny(PodReplaced, "pod %q has UID %s, the request names %s", pod.Name, pod.UID, spec.PodUID)
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		v = deny(PodFinished, "pod %q has ended", pod.Name)
	case pod.Spec.NodeName == "":
		v = wait("pod %q is not on a node yet", pod.Name)
	case pod.Spec.NodeName != string(spec.NodeName):
		v = deny(NodeMismatch, "pod %q is on node %q, the request names %q", pod.Name, pod.Spec.NodeName, spec.NodeName)
	case pod.Spec.ServiceAccountName != spec.ServiceAccountName:
		v = deny(AccountMismatch, "pod %q runs as service account %q, the request names %q", pod.Name, pod.Spec.ServiceAccountName, spec.ServiceAccountName)
	case !injected(pod):
		v = deny(NotInjected, "pod %q has no container %s that mounts a podCertificate of signer %s", pod.Name, sidecar.ProxyContainer, sidecar.Signer)
	default:
		return nil
	}
	return &v
}

// checkMembership waits for a namespace that is absent while its pod is there.
func checkMembership(live Live, systemNamespace string) *Verdict {
	pod := live.Pod
	var v Verdict
	switch {
	case membership.HasStarted(pod):
		return nil
	case live.Namespace == nil:
		v = wait("there is no namespace %q", pod.Namespace)
	case !membership.Selected(*live.Namespace, pod.Labels, systemNamespace):
		v = deny(NotInMesh, "neither pod %q nor its namespace is labelled %s=%s, or one of them keeps the pod out of the mesh",
			pod.Name, metadata.InjectLabel, metadata.InjectEnabled)
	default:
		return nil
	}
	return &v
}

// checkAccount waits for an account that is absent: it may be on its way back,
// and the request ends by itself after 15 minutes.
func checkAccount(request *certificatesv1.PodCertificateRequest, account *corev1.ServiceAccount) *Verdict {
	spec := request.Spec
	var v Verdict
	switch {
	case account == nil:
		v = wait("there is no service account %q", spec.ServiceAccountName)
	case account.UID != spec.ServiceAccountUID:
		v = deny(AccountReplaced, "service account %q has UID %s, the request names %s", account.Name, account.UID, spec.ServiceAccountUID)
	default:
		return nil
	}
	return &v
}

// checkKey gives the key of a stub request that says nothing beside it, as the
// kubelet writes it. The API server has verified its signature.
func checkKey(der []byte) (*ecdsa.PublicKey, *Verdict) {
	stub, err := x509.ParseCertificateRequest(der)
	if err != nil {
		v := deny(RequestMalformed, "stubPKCS10Request: %v", err)
		return nil, &v
	}
	if len(stub.Subject.Names) > 0 || len(stub.Extensions) > 0 || len(stub.Attributes) > 0 { //nolint:staticcheck // Attributes is deprecated for use, not for seeing that it is empty.
		v := deny(RequestNotEmpty, "stubPKCS10Request asks for a subject, an extension or an attribute; it may carry a key alone")
		return nil, &v
	}
	key, ok := stub.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		v := deny(UnsupportedKeyType, "this signer certifies ECDSAP256 keys only")
		return nil, &v
	}
	return key, nil
}

// injected tells whether our proxy is in the pod and holds our certificate.
func injected(pod *corev1.Pod) bool {
	return membership.HasProxy(pod) && slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool {
		return c.Name == sidecar.ProxyContainer && slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name == sidecar.VolumeIdentity
		})
	})
}

func deny(reason, format string, args ...any) Verdict {
	return Verdict{Outcome: Deny, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func wait(format string, args ...any) Verdict {
	return Verdict{Outcome: Wait, Message: fmt.Sprintf(format, args...)}
}
