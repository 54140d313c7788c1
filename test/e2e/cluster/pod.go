// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// Image holds every program that the tests run.
const Image = "docker.io/local/bookstore:dev"

// Pod is a live pod whose first container has the bookstore's program.
type Pod struct {
	cluster   *Cluster
	container string

	Namespace, Name, Account string
	UID, Node                string
	// IP is its first address, IPv4; IP6 its second.
	IP, IP6 string
}

// Container is a container that runs the bookstore's program.
func Container(name string, args ...string) corev1.Container {
	return corev1.Container{
		Name: name, Image: Image, ImagePullPolicy: corev1.PullIfNotPresent, Args: args,
	}
}

// Manifest is a pod with these containers, which runs as an account of its own name.
func Manifest(namespace, name string, containers ...corev1.Container) *corev1.Pod {
	grace := int64(2)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			ServiceAccountName:            name,
			TerminationGracePeriodSeconds: &grace,
			Containers:                    containers,
		},
	}
}

// Account makes a service account.
func (c *Cluster) Account(ctx context.Context, namespace, name string) error {
	_, err := c.Core.CoreV1().ServiceAccounts(namespace).Create(ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("make account %s/%s: %w", namespace, name, err)
	}
	return nil
}

// Start makes a pod and its account, and waits until it is ready.
func (c *Cluster) Start(ctx context.Context, manifest *corev1.Pod) (*Pod, error) {
	if err := c.Account(ctx, manifest.Namespace, manifest.Spec.ServiceAccountName); err != nil {
		return nil, err
	}
	pods := c.Core.CoreV1().Pods(manifest.Namespace)
	if _, err := pods.Create(ctx, manifest, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("make pod %s/%s: %w", manifest.Namespace, manifest.Name, err)
	}
	var pod *corev1.Pod
	bounded, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := await.Until(bounded, fmt.Sprintf("readiness of pod %s/%s", manifest.Namespace, manifest.Name), func(ctx context.Context) error {
		var err error
		if pod, err = pods.Get(ctx, manifest.Name, metav1.GetOptions{}); err != nil {
			return await.Never(err)
		}
		if !ready(pod) {
			return errors.New(why(pod))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c.live(pod), nil
}

// Find gives a ready pod of an app. What it runs is in its first container.
func (c *Cluster) Find(ctx context.Context, namespace, app string) (*Pod, error) {
	list, err := c.Core.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil, fmt.Errorf("list pods of %s: %w", app, err)
	}
	for i := range list.Items {
		if pod := &list.Items[i]; pod.DeletionTimestamp == nil && ready(pod) {
			return c.live(pod), nil
		}
	}
	return nil, fmt.Errorf("no pod of %s in namespace %s is ready", app, namespace)
}

func (c *Cluster) live(pod *corev1.Pod) *Pod {
	out := &Pod{
		cluster: c, container: pod.Spec.Containers[0].Name, Namespace: pod.Namespace, Name: pod.Name, Account: pod.Spec.ServiceAccountName,
		UID: string(pod.UID), Node: pod.Spec.NodeName, IP: pod.Status.PodIP,
	}
	if len(pod.Status.PodIPs) > 1 {
		out.IP6 = pod.Status.PodIPs[1].IP
	}
	return out
}

func ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// why sums up what a pod waits for.
func why(pod *corev1.Pod) string {
	if pod == nil {
		return "it was never seen"
	}
	var parts []string
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range list {
			parts = append(parts, fmt.Sprintf("%s: %s", status.Name, status.State.String()))
		}
	}
	return strings.Join(parts, "; ")
}

// Run runs a command of the bookstore's program in the pod and gives its output.
func (p *Pod) Run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	err := p.cluster.exec(ctx, p.Namespace, p.Name, p.container, append([]string{"bookstore"}, args...), nil, &out)
	return out.String(), err
}

// answerWithin is no test's subject: on a busy machine an answer may take seconds.
const answerWithin = "--timeout=30s"

// Get makes one HTTP request and gives its status code, or "no answer: " and why.
func (p *Pod) Get(ctx context.Context, args ...string) string {
	out, err := p.Run(ctx, append([]string{"get", answerWithin}, args...)...)
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(out, "\n")
	if strings.HasPrefix(line, "no answer") {
		return line
	}
	code, _, _ := strings.Cut(line, " ")
	return code
}

// GRPC calls a method of the health service and gives the status code's name.
func (p *Pod) GRPC(ctx context.Context, address, method string) string {
	out, err := p.Run(ctx, "grpc", answerWithin, address, method)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out)
}

// Log is what a container has printed so far.
func (p *Pod) Log(ctx context.Context, container string) (string, error) {
	data, err := p.cluster.Core.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: container}).DoRaw(ctx)
	return string(data), err
}
