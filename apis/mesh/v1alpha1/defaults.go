// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Defaults that a tag cannot say.
const (
	// DefaultDrainTime is Envoy's --drain-time-s; Envoy's own 600 s would let a
	// refused TCP connection live on for ten minutes.
	DefaultDrainTime = 30 * time.Second
	// DefaultTerminationDrain leaves 5 s of the 30 s that a pod's
	// terminationGracePeriodSeconds is by default.
	DefaultTerminationDrain = 25 * time.Second
	// DefaultPreStopSleep is how long an app serves on, until its callers'
	// proxies have heard that it ends.
	DefaultPreStopSleep = 5 * time.Second
	// DefaultCertificateLifetime is the lifetime of a workload's certificate.
	DefaultCertificateLifetime = 24 * time.Hour
)

func addDefaultingFuncs(scheme *runtime.Scheme) error {
	return RegisterDefaults(scheme)
}

// NewDefaultMeshConfig is the MeshConfig of a mesh whose users have said
// nothing, with every default filled in.
func NewDefaultMeshConfig() *MeshConfig {
	config := &MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: MeshConfigName}}
	SetObjectDefaults_MeshConfig(config)
	return config
}

// SetDefaults_SidecarConfig fills what the tags do not.
func SetDefaults_SidecarConfig(sidecar *SidecarConfig) {
	if sidecar.DrainTime == nil {
		sidecar.DrainTime = &metav1.Duration{Duration: DefaultDrainTime}
	}
	if sidecar.TerminationDrain == nil {
		sidecar.TerminationDrain = &metav1.Duration{Duration: DefaultTerminationDrain}
	}
	if sidecar.PreStopSleep == nil {
		sidecar.PreStopSleep = &metav1.Duration{Duration: DefaultPreStopSleep}
	}
	if sidecar.Resources.Requests == nil && sidecar.Resources.Limits == nil {
		// An idle Envoy 1.40 has 65 MB resident.
		sidecar.Resources.Requests = corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("50m"),
			corev1.ResourceMemory: resource.MustParse("96Mi"),
		}
	}
}

// SetDefaults_CertificateConfig fills what the tags do not.
func SetDefaults_CertificateConfig(certificate *CertificateConfig) {
	if certificate.Lifetime == nil {
		certificate.Lifetime = &metav1.Duration{Duration: DefaultCertificateLifetime}
	}
}
