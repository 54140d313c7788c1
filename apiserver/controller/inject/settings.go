// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inject puts a pod in the mesh: Patch is a pure function from a pod to
// the operations that add its proxy, or to the sentence that says why the mesh
// refuses it; Handler is the admission webhook around it.
package inject

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// Settings is what Patch has to know beside the pod and its namespace.
type Settings struct {
	// InitImage is the image of mesh-init: the server's own. It must have
	// mesh-helper on its PATH.
	InitImage string
	// ProxyImage is the image of mesh-proxy. It must have envoy on its PATH.
	ProxyImage string
	// Resources are the proxy's.
	Resources corev1.ResourceRequirements
	// Demanded are the requests and limits of cpu and memory that it gets where
	// Resources has none, and the pod or its namespace demands that there is one.
	Demanded corev1.ResourceRequirements
	// LogLevel is Envoy's --log-level.
	LogLevel string
	// Concurrency is the number of Envoy's worker threads.
	Concurrency int32
	// DrainTime is how long Envoy takes to end the connections of a listener or
	// filter chain that was replaced, in whole seconds.
	DrainTime time.Duration
	// TerminationDrain bounds the wait for active requests when the pod ends.
	TerminationDrain time.Duration
	// PreStopSleep is the hook of app containers that have none, in whole
	// seconds; 0 adds none.
	PreStopSleep time.Duration
	// CertificateLifetime is the longest that the kubelet may ask for, 1 h to
	// 91 d (KEP-4317).
	CertificateLifetime time.Duration
	// SystemNamespace holds the control plane.
	SystemNamespace string
	// ClusterDomain is the DNS suffix of the cluster: "cluster.local".
	ClusterDomain string
	// Drawn is a number drawn for this pod, by which its proxy's user is chosen.
	Drawn uint64
	// PodIdentity is true if the host serves PodCertificateRequest in
	// certificates.k8s.io/v1 (on by default from Kubernetes 1.37).
	PodIdentity bool

	// bootstraps are those that the handler keeps; nil keeps none.
	bootstraps *bootstraps
}

// Namespace is what Patch knows of the pod's namespace.
type Namespace struct {
	Name   string
	Labels map[string]string
	Bounds Bounds
}

// privilegedAllowed on a Namespace lets its meshed pods hold the rights with which a
// container can step around its proxy. It stands there because tenants' roles cannot
// edit namespaces.
const privilegedAllowed = "allowed"

// podSecurityLabel is PodSecurity's (KEP-2579).
const podSecurityLabel = "pod-security.kubernetes.io/enforce"

func (n Namespace) privileged() bool { return n.Labels[metadata.PrivilegedLabel] == privilegedAllowed }
