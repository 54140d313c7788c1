// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fuzzer fills the hub types with random values that a decoder could
// have made: what has a default is never empty.
package fuzzer

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	runtimeserializer "k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// Funcs fill the types of the group mesh.openservicemesh.io.
func Funcs(runtimeserializer.CodecFactory) []any {
	return []any{
		fillPolicySpec, fillPathMatch, fillHeaderMatch, fillPort, fillDuration,
		fillTraffic, fillSidecar, fillResources, fillCertificate,
		fillBackend,
	}
}

func fillPolicySpec(spec *mesh.MeshPolicySpec, c randfill.Continue) {
	c.FillNoCustom(spec)
	orDefault(&spec.Mode, mesh.PolicyModeEnforce)
}

func fillPathMatch(match *mesh.PathMatch, c randfill.Continue) {
	c.FillNoCustom(match)
	orDefault(&match.Type, mesh.PathMatchPathPrefix)
}

func fillHeaderMatch(match *mesh.HeaderMatch, c randfill.Continue) {
	c.FillNoCustom(match)
	orDefault(&match.Type, mesh.HeaderMatchExact)
}

// fillPort fills the field that the type says, since only that is written.
func fillPort(port *intstr.IntOrString, c randfill.Continue) {
	if c.Bool() {
		*port = intstr.FromString(c.String(0))
	} else {
		*port = intstr.FromInt32(c.Int31())
	}
}

func fillDuration(duration *metav1.Duration, c randfill.Continue) {
	duration.Duration = time.Duration(1 + c.Int63n(int64(24*time.Hour)))
}

func fillTraffic(traffic *mesh.TrafficConfig, c randfill.Continue) {
	c.FillNoCustom(traffic)
	orDefault(&traffic.Access, mesh.AccessOpen)
	orDefault(&traffic.MTLS, mesh.MTLSStrict)
	orDefault(&traffic.Unmeshed, mesh.UnmeshedAllow)
	orDefault(&traffic.Egress, mesh.EgressPassthrough)
	orDefault(&traffic.EscapedSlashes, mesh.EscapedSlashesReject)
	orDefault(&traffic.MinimumTLSVersion, mesh.TLSVersion13)
	orDefault(&traffic.Visibility, mesh.VisibilityMesh)
}

func fillSidecar(sidecar *mesh.SidecarConfig, c randfill.Continue) {
	c.FillNoCustom(sidecar)
	orDefault(&sidecar.LogLevel, mesh.SidecarLogLevelWarning)
	if sidecar.Concurrency == nil {
		sidecar.Concurrency = new(int32)
	}
	durationOrZero(&sidecar.DrainTime)
	durationOrZero(&sidecar.TerminationDrain)
	durationOrZero(&sidecar.PreStopSleep)
}

func fillResources(resources *mesh.SidecarResources, c randfill.Continue) {
	c.Fill(&resources.Limits)
	resources.Requests = corev1.ResourceList{corev1.ResourceCPU: *resource.NewMilliQuantity(c.Int63n(10_000), resource.DecimalSI)}
}

func fillCertificate(certificate *mesh.CertificateConfig, c randfill.Continue) {
	c.FillNoCustom(certificate)
	orDefault(&certificate.TrustDomain, "cluster.local")
	durationOrZero(&certificate.Lifetime)
}

func fillBackend(backend *mesh.HTTPBackendReference, c randfill.Continue) {
	c.FillNoCustom(backend)
	orDefault(&backend.Kind, "Service")
	if backend.Weight == nil {
		backend.Weight = new(int32)
	}
}

// durationOrZero sees to it that there is a value, as defaulting does.
func durationOrZero(duration **metav1.Duration) {
	if *duration == nil {
		*duration = &metav1.Duration{}
	}
}

func orDefault[T ~string](value *T, otherwise T) {
	if *value == "" {
		*value = otherwise
	}
}
