// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// An image that is nowhere ends a container and keeps it from coming back. The
// probes are those of other containers, which run on: only what the proxy asks
// the app's ports can tell the kubelet.
func TestGRPCAndTCPProbesFollowTheApplicationsPorts(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	byGRPC, byTCP := cluster.Container("by-grpc", "echo", "--listen=:9101"), cluster.Container("by-tcp", "echo", "--listen=:9102")
	byGRPC.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8081}}}
	byTCP.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(9000)}}}
	pod, err := live.Start(t.Context(), cluster.Manifest(shop.Namespace, "probed",
		cluster.Container("app", "reflect"), cluster.Container("echo", "echo", "--listen=:9000"), byGRPC, byTCP))
	if err != nil {
		t.Fatal(err)
	}
	for container, probed := range map[string]string{"app": "by-grpc", "echo": "by-tcp"} {
		patch := `{"spec":{"containers":[{"name":"` + container + `","image":"docker.io/local/nowhere:dev"}]}}`
		_, err := live.Core.CoreV1().Pods(pod.Namespace).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		await.State(t, soon, func() (string, bool) {
			now, err := live.Core.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
			if err != nil {
				return err.Error(), false
			}
			for _, status := range now.Status.ContainerStatuses {
				if status.Name == probed {
					return probed + " is ready though the port is closed: " + status.State.String(), !status.Ready && status.State.Running != nil
				}
			}
			return "no status of " + probed, false
		})
	}
}

// The proxy ends once the app has, though its drain and the pod's grace may take
// longer.
func TestAJobWithASidecarCompletes(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	template := cluster.Manifest(shop.Namespace, "once", cluster.Container("app", "get", shop.URL("/")))
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	template.Spec.ServiceAccountName = "shop"
	template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](120)
	jobs := live.Core.BatchV1().Jobs(shop.Namespace)
	_, err := jobs.Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "once"},
		Spec: batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "once"}}, Spec: template.Spec}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var completed time.Time
	await.State(t, 2*time.Minute, func() (string, bool) {
		job, err := jobs.Get(t.Context(), "once", metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		if job.Status.Failed > 0 {
			t.Fatalf("the Job failed: %v", job.Status.Conditions)
		}
		if job.Status.CompletionTime == nil {
			return "the Job has not completed", false
		}
		completed = job.Status.CompletionTime.Time
		return "", true
	})
	pods, err := live.Core.CoreV1().Pods(shop.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=once"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("got %d pods of the Job, want 1: %v", len(pods.Items), err)
	}
	app := pods.Items[0].Status.ContainerStatuses[0].State.Terminated
	if app == nil {
		t.Fatalf("the app has not ended: %+v", pods.Items[0].Status)
	}
	if waited := completed.Sub(app.FinishedAt.Time); waited >= v1alpha1.DefaultTerminationDrain {
		t.Errorf("the Job completed %s after its app, want less than the proxy's drain", waited)
	}
	said, err := live.Core.CoreV1().Pods(shop.Namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Container: "app"}).DoRaw(t.Context())
	if err != nil || !strings.HasPrefix(string(said), "200") {
		t.Errorf("the Job's first request got %q (%v), want 200", said, err)
	}
}

func TestExclusionsGoPastTheProxy(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	manifest := cluster.Manifest(shop.Namespace, "excluding", cluster.Container("app", "reflect"), cluster.Container("echo", "echo", "--listen=:9000,:9100"))
	manifest.Annotations = map[string]string{
		"mesh.openservicemesh.io/exclude-inbound-ports":      "9100",
		"mesh.openservicemesh.io/exclude-outbound-ip-ranges": shop.IP + "/32",
	}
	excluding, err := live.Start(t.Context(), manifest)
	if err != nil {
		t.Fatal(err)
	}
	outsider.Hold(t, net.JoinHostPort(excluding.IP, "9100"))
	if got := outsider.Get(t.Context(), "http://"+net.JoinHostPort(excluding.IP, "8080")+"/"); !strings.HasPrefix(got, "no answer") {
		t.Errorf("a port that is not excluded took plaintext: %s", got)
	}

	byAddress := "http://" + net.JoinHostPort(shop.IP, "8080") + "/"
	wantGet(t, buyer, "200", byAddress)
	wantGet(t, excluding, "200", shop.URL("/"))
	if got := excluding.Get(t.Context(), byAddress); !strings.HasPrefix(got, "no answer") {
		t.Errorf("a call to an excluded address got %s, want the server's refusal of plaintext", got)
	}
}

func TestPodsOnTheNodesNetwork(t *testing.T) {
	t.Parallel()
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: host, namespace: ` + buyer.Namespace + `, labels: {LABEL}},
spec: {serviceAccountName: ` + buyer.Account + `, hostNetwork: true, containers: [{name: app, image: app}]}}`
	create := func(label string) (string, error) {
		return live.Kubectl(t.Context(), strings.Replace(pod, "LABEL", label, 1), "create", "--dry-run=server", "-f", "-", "-o", "jsonpath={.spec.initContainers}")
	}
	said, err := create("")
	if err != nil || !strings.Contains(said, "Warning: this pod is not in the mesh: it uses the node's network") || strings.Contains(said, "mesh-proxy") {
		t.Errorf("in an enabled namespace: got %v and %q, want it admitted unchanged with a warning", err, said)
	}
	said, err = create("mesh.openservicemesh.io/inject: enabled")
	if err == nil || !strings.Contains(said, "a pod on the node's network cannot be in the mesh") {
		t.Errorf("a pod that asks for the mesh: got %v and %q, want a refusal", err, said)
	}
}

func TestANamespaceThatForbidsNetAdminGetsOneSentence(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	if _, err := live.Kubectl(t.Context(), "", "label", "namespace", shop.Namespace, "--overwrite", "pod-security.kubernetes.io/enforce=restricted"); err != nil {
		t.Fatal(err)
	}
	pod := cluster.Manifest(shop.Namespace, "restricted", cluster.Container("app", "reflect"))
	pod.Spec.ServiceAccountName = "shop"
	await.State(t, soon, func() (string, bool) {
		_, err := live.Core.CoreV1().Pods(shop.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return "the pod is admitted", false
		}
		return err.Error(), strings.Contains(err.Error(), `enforces PodSecurity "restricted", which forbids NET_ADMIN`)
	})
}

func TestAnEphemeralContainerCannotTargetTheProxy(t *testing.T) {
	t.Parallel()
	pods := live.Core.CoreV1().Pods(buyer.Namespace)
	for target, want := range map[string]string{"app": "", "mesh-proxy": "targets the mesh's proxy"} {
		pod, err := pods.Get(t.Context(), buyer.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{
			TargetContainerName: target,
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "debugger", Image: cluster.Image, ImagePullPolicy: corev1.PullIfNotPresent, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			},
		})
		_, err = pods.UpdateEphemeralContainers(t.Context(), pod.Name, pod, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("target %s: got %v, want %q", target, err, want)
		}
	}
}
