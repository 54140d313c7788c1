// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// volumeNoToken is empty. It is mounted where the ServiceAccount admission
// plugin would mount the app's token, which the mesh's containers do not need.
const volumeNoToken = "mesh-no-token"

// tokenPath is the path by which the ServiceAccount plugin sees that a
// container has a token (serviceaccount.DefaultAPITokenMountPath).
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// runSize bounds mesh-run, which holds a copy of mesh-helper (3 MB), two while
// mesh-init runs again. It is on disk because memory would count for the pod.
const runSize = "8Mi"

// diskSize bounds what the proxy has on disk: mesh-run, and its log, of which the
// kubelet keeps five files of 10 MiB unless it is told otherwise.
const diskSize = "80Mi"

// fileMode is the API server's default for projected volumes. The kubelet
// narrows it where the pod has an fsGroup, and the proxy is in that group.
const fileMode int32 = 0o644

func ourVolume(name string) bool {
	switch name {
	case sidecar.VolumeIdentity, sidecar.VolumeRoots, sidecar.VolumeFiles, sidecar.VolumeRun, volumeNoToken:
		return true
	}
	return false
}

// volumes are what the mesh adds, with every default spelled out, so that they
// compare equal after the API server has filled in its own.
func volumes(settings Settings) []corev1.Volume {
	return []corev1.Volume{
		projected(sidecar.VolumeIdentity, corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{
			SignerName:           sidecar.Signer,
			KeyType:              "ECDSAP256",
			MaxExpirationSeconds: ptr.To(int32(settings.CertificateLifetime.Seconds())),
			CredentialBundlePath: path.Base(sidecar.CredentialBundle),
		}}),
		projected(sidecar.VolumeRoots, corev1.VolumeProjection{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{
			SignerName:    ptr.To(sidecar.TrustBundleSigner),
			LabelSelector: &metav1.LabelSelector{},
			Path:          path.Base(sidecar.ControlPlaneRoots),
		}}),
		projected(sidecar.VolumeFiles, corev1.VolumeProjection{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
			annotationFile(sidecar.IdentitySDS, metadata.IdentitySDSAnnotation),
			annotationFile(sidecar.ControlPlaneRootsSDS, metadata.ControlPlaneRootsSDSAnnotation),
			annotationFile(sidecar.RefusalBudget, metadata.RefusalBudgetAnnotation),
		}}}),
		emptyDir(sidecar.VolumeRun, runSize),
		emptyDir(volumeNoToken, "1Mi"),
	}
}

func projected(name string, source corev1.VolumeProjection) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: ptr.To(fileMode),
		Sources:     []corev1.VolumeProjection{source},
	}}}
}

func annotationFile(file, annotation string) corev1.DownwardAPIVolumeFile {
	return corev1.DownwardAPIVolumeFile{Path: path.Base(file), FieldRef: &corev1.ObjectFieldSelector{
		APIVersion: "v1", FieldPath: "metadata.annotations['" + annotation + "']",
	}}
}

func emptyDir(name, limit string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
		SizeLimit: ptr.To(resource.MustParse(limit)),
	}}}
}

// addVolumes adds the volumes that are missing, and replaces those that are not
// what the mesh makes today. replaced names these.
func addVolumes(spec *corev1.PodSpec, settings Settings) (operations []Operation, replaced []string) {
	if spec.Volumes == nil {
		operations = append(operations, Operation{Op: "add", Path: "/spec/volumes", Value: []corev1.Volume{}})
	}
	for _, want := range volumes(settings) {
		at := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == want.Name })
		switch {
		case at < 0:
			operations = append(operations, Operation{Op: "add", Path: "/spec/volumes/-", Value: want})
		case !apiequality.Semantic.DeepEqual(spec.Volumes[at], want):
			operations = append(operations, Operation{Op: "replace", Path: fmt.Sprintf("/spec/volumes/%d", at), Value: want})
			replaced = append(replaced, "volume "+want.Name)
		}
	}
	return operations, replaced
}
