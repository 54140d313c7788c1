// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"path"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// initContainer redirects the pod's traffic, and ends when the proxy, which starts
// before it, has its configuration: what comes after it starts then. It is root
// because only root's capabilities reach a process without file capabilities; of
// these it keeps NET_ADMIN for the redirection, and SETUID to see whether the
// proxy's user has an inotify instance left. The proxy's group lets it ask the proxy.
func initContainer(settings Settings, user int64, routes []ProbeRoute, excluded []string) corev1.Container {
	args := []string{"--proxy-uid=" + strconv.FormatInt(user, 10)}
	for _, route := range routes {
		args = append(args, route.argument())
	}
	args = append(args, excluded...)
	return corev1.Container{
		Name:    sidecar.InitContainer,
		Image:   settings.InitImage,
		Command: []string{"mesh-helper", "init"},
		Args:    args,
		VolumeMounts: []corev1.VolumeMount{
			{Name: sidecar.VolumeRun, MountPath: sidecar.RunDirectory},
			{Name: volumeNoToken, MountPath: tokenPath, ReadOnly: true},
		},
		SecurityContext: &corev1.SecurityContext{
			RunAsUser:                ptr.To[int64](0),
			RunAsGroup:               ptr.To[int64](sidecar.ProxyGID),
			RunAsNonRoot:             ptr.To(false),
			Privileged:               ptr.To(false),
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: []corev1.Capability{"NET_ADMIN", "SETUID"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// proxyContainer is Envoy as a native sidecar (KEP-753): it starts before all
// others, and ends after the last one. It has no startup probe, which would cost
// the kubelet a second look: mesh-init waits for it.
func proxyContainer(settings Settings, user int64, bootstrap string) corev1.Container {
	return corev1.Container{
		Name:    sidecar.ProxyContainer,
		Image:   settings.ProxyImage,
		Command: []string{"envoy"},
		Args: []string{
			"--config-yaml", bootstrap,
			"--service-node", nodeID,
			"--service-cluster", "$(POD_NAMESPACE)",
			"--concurrency", strconv.Itoa(int(settings.Concurrency)),
			"--drain-time-s", seconds(settings.DrainTime),
			"--drain-strategy", "gradual",
			"--log-level", settings.LogLevel,
			// What a proxy refuses is in its log within a second; Envoy's own is 10.
			"--file-flush-interval-msec", "1000",
			// Else each address in a listener's matcher is a warning at each of its
			// changes: the matcher's messages are marked as work in progress.
			"--component-log-level", "misc:error",
			"--disable-hot-restart",
		},
		Env:           proxyEnv(),
		RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
		VolumeMounts: []corev1.VolumeMount{
			{Name: sidecar.VolumeIdentity, MountPath: path.Dir(sidecar.CredentialBundle), ReadOnly: true},
			{Name: sidecar.VolumeRoots, MountPath: path.Dir(sidecar.ControlPlaneRoots), ReadOnly: true},
			{Name: sidecar.VolumeFiles, MountPath: sidecar.FilesDirectory, ReadOnly: true},
			{Name: sidecar.VolumeRun, MountPath: sidecar.RunDirectory},
			{Name: volumeNoToken, MountPath: tokenPath, ReadOnly: true},
		},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/ready", Port: intstr.FromInt32(sidecar.PortReadiness), Scheme: corev1.URISchemeHTTP,
			}},
			TimeoutSeconds:   2,
			PeriodSeconds:    5,
			SuccessThreshold: 1,
			FailureThreshold: 3,
		},
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{
			Command: []string{sidecar.Helper, "drain", "--timeout=" + settings.TerminationDrain.String()},
		}}},
		SecurityContext: &corev1.SecurityContext{
			RunAsUser:                ptr.To(user),
			RunAsGroup:               ptr.To[int64](sidecar.ProxyGID),
			RunAsNonRoot:             ptr.To(true),
			Privileged:               ptr.To(false),
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}
}

// nodeID is the string of the certificate's extension. The kubelet fills it in:
// a pod made by a controller has neither name nor UID at admission.
const nodeID = "$(POD_NAMESPACE)/$(POD_NAME)/$(POD_UID)"

// proxyEnv are the names that the kubelet fills in in the proxy's arguments.
func proxyEnv() []corev1.EnvVar {
	return []corev1.EnvVar{
		downward("POD_NAMESPACE", "metadata.namespace"),
		downward("POD_NAME", "metadata.name"),
		downward("POD_UID", "metadata.uid"),
		{Name: "PROXY_MEMORY", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{
			Resource: "limits.memory",
		}}},
	}
}

func downward(name, field string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: field},
	}}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

// controlPlaneHost is what the proxy resolves: the whole name, so that it needs
// no search list.
func controlPlaneHost(settings Settings) string {
	return sidecar.ControlPlaneName(settings.SystemNamespace) + "." + settings.ClusterDomain
}
