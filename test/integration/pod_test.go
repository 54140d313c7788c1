// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// nodeName is the node that the tests' pods are on. It has no kubelet: the tests
// do what one does, with its credentials.
const nodeName = "node-a"

// newMeshNamespace is a namespace of the mesh.
func newMeshNamespace(t *testing.T) string {
	t.Helper()
	return newLabelledNamespace(t, map[string]string{
		"mesh.openservicemesh.io/inject": "enabled", "pod-security.kubernetes.io/enforce": "privileged",
	})
}

// newNode gives a node, made by the first who asks.
func newNode(t *testing.T, name string) *corev1.Node {
	t.Helper()
	nodes := host.CoreV1().Nodes()
	_, err := nodes.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	node, err := nodes.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// kubelet is a client with the credentials of a node's.
func kubelet(t *testing.T, node string) kubernetes.Interface {
	t.Helper()
	return clientOf(t, "system:node:"+node, "system:nodes")
}

// clientOf is a client of a user in groups.
func clientOf(t *testing.T, user string, groups ...string) kubernetes.Interface {
	t.Helper()
	config, err := kube.As(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1 // a test that sends at once is not to be held back by its own client
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newAccount makes a service account.
func newAccount(t *testing.T, namespace, name string) *corev1.ServiceAccount {
	t.Helper()
	account, err := host.CoreV1().ServiceAccounts(namespace).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// newPod makes a pod on the node; the real webhook sees it.
func newPod(t *testing.T, namespace, name, account string, edits ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	newNode(t, nodeName)
	pod := podOf(name, account)
	for _, edit := range edits {
		edit(pod)
	}
	made, err := host.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// podOf is a pod that is on the node once it is made.
func podOf(name, account string) *corev1.Pod {
	off := false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}},
		Spec: corev1.PodSpec{
			NodeName:                     nodeName,
			ServiceAccountName:           account,
			AutomountServiceAccountToken: &off,
			Containers: []corev1.Container{{Name: "app", Image: "app",
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 14001}}}},
		},
	}
}

func labelled(key, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Labels[key] = value }
}

// outsideTheMesh is what a pod says that wants no proxy.
var outsideTheMesh = labelled("mesh.openservicemesh.io/inject", "disabled")

// run has a pod run at an address, as its kubelet would report it.
func run(t *testing.T, pod *corev1.Pod, ip string) *corev1.Pod {
	t.Helper()
	running, err := report(t.Context(), pod, ip)
	if err != nil {
		t.Fatal(err)
	}
	return running
}

// report says that a pod runs and is ready.
func report(ctx context.Context, pod *corev1.Pod, ip string) (*corev1.Pod, error) {
	pod.Status.Phase = corev1.PodRunning
	pod.Status.PodIP, pod.Status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	return host.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
}

func TestPodsOfTheMeshGetAProxy(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "books")
	for name, want := range map[string]string{"enabled": "mesh-proxy mesh-init", "disabled": ""} {
		pod := newPod(t, namespace, name, "books", labelled("mesh.openservicemesh.io/inject", name))
		if got := initContainers(pod); got != want {
			t.Errorf("%s on the pod: got init containers %q, want %q", name, got, want)
		}
	}
	if got, want := initContainers(newPod(t, namespace, "plain", "books")), "mesh-proxy mesh-init"; got != want {
		t.Errorf("label on the namespace alone: got init containers %q, want %q", got, want)
	}
}

func initContainers(pod *corev1.Pod) string {
	var names []string
	for _, container := range pod.Spec.InitContainers {
		names = append(names, container.Name)
	}
	return strings.Join(names, " ")
}

func TestPodThatTheMeshCannotTakeIsRefusedWithASentence(t *testing.T) {
	namespace := newMeshNamespace(t)
	newAccount(t, namespace, "books")
	pod := `
apiVersion: v1
kind: Pod
metadata: {name: bookstore}
spec:
  serviceAccountName: books
  automountServiceAccountToken: false
  containers:
  - name: bookstore
    image: bookstore
    readinessProbe: {exec: {command: ["true"]}, periodSeconds: 5}
    securityContext: {runAsUser: 1337}
`
	out, err := kube.Kubectl(t.Context(), pod, "create", "-n", namespace, "-f", "-")
	if err == nil || !strings.Contains(out, "runAsUser") {
		t.Errorf("got %v, want a refusal that names the user", err)
	}
}
