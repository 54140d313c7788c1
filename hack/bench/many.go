// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	manyNamespace = "bench"
	manyAccount   = "default"
	nodeName      = "node-a"
)

// makeNamespace makes the namespace of the mesh that the measurements use.
func (s *session) makeNamespace(ctx context.Context) error {
	labels := map[string]string{"mesh.openservicemesh.io/inject": "enabled", "pod-security.kubernetes.io/enforce": "privileged"}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: manyNamespace, Labels: labels}}
	if _, err := s.host.CoreV1().Namespaces().Get(ctx, manyNamespace, metav1.GetOptions{}); err == nil {
		return nil
	}
	if _, err := s.host.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return err
	}
	if _, err := s.host.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	return await(ctx, "the default account", func(ctx context.Context) error {
		_, err := s.host.CoreV1().ServiceAccounts(manyNamespace).Get(ctx, manyAccount, metav1.GetOptions{})
		return err
	})
}

// inParallel does something n times, sixteen at a time, and gives the first error.
func inParallel(n int, do func(i int) error) error {
	var group sync.WaitGroup
	var once sync.Once
	var first error
	next := make(chan int)
	for range 16 {
		group.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	return first
}

// address is one of the range for tests (RFC 2544); nobody dials it.
func address(i int) string { return fmt.Sprintf("198.18.%d.%d", i/250, 1+i%250) }

func serviceName(i int) string { return fmt.Sprint("service-", i) }

// makePods makes pods that run, of the mesh by the real webhook.
func (s *session) makePods(ctx context.Context, n int) ([]*corev1.Pod, error) {
	pods := make([]*corev1.Pod, n)
	return pods, inParallel(n, func(i int) error {
		pod, err := s.runPod(ctx, fmt.Sprint("pod-", i), address(i))
		pods[i] = pod
		return err
	})
}

// runPod makes one pod that runs.
func (s *session) runPod(ctx context.Context, name, address string) (*corev1.Pod, error) {
	made, err := s.host.CoreV1().Pods(manyNamespace).Create(ctx, plainPod(name), metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	made.Status.Phase = corev1.PodRunning
	made.Status.PodIP, made.Status.PodIPs = address, []corev1.PodIP{{IP: address}}
	made.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	return s.host.CoreV1().Pods(manyNamespace).UpdateStatus(ctx, made, metav1.UpdateOptions{})
}

func plainPod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: manyNamespace, Labels: map[string]string{"app": "bench"}},
		Spec: corev1.PodSpec{
			NodeName: nodeName, ServiceAccountName: manyAccount, AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{Name: "app", Image: "app", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}},
		},
	}
}

// makeServices makes Services with an endpoint each.
func (s *session) makeServices(ctx context.Context, n int, pods []*corev1.Pod) error {
	return s.makeServicesFrom(ctx, 0, n, pods)
}

// makeServicesFrom makes those that are missing, of which the first are there.
func (s *session) makeServicesFrom(ctx context.Context, first, n int, pods []*corev1.Pod) error {
	return inParallel(n-first, func(i int) error {
		i += first
		_, err := s.host.CoreV1().Services(manyNamespace).Create(ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: serviceName(i)},
			Spec: corev1.ServiceSpec{
				Selector: map[string]string{"app": serviceName(i)},
				Ports:    []corev1.ServicePort{{Name: "http", Port: 8080, TargetPort: intstr.FromInt32(8080)}},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		_, err = s.host.DiscoveryV1().EndpointSlices(manyNamespace).Create(ctx, sliceOf(i, pods[i%len(pods)]), metav1.CreateOptions{})
		return err
	})
}

func sliceOf(i int, pods ...*corev1.Pod) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: manyNamespace, Name: serviceName(i), Labels: map[string]string{discoveryv1.LabelServiceName: serviceName(i)}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To(int32(8080)), Protocol: ptr.To(corev1.ProtocolTCP)}},
	}
	for _, pod := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{pod.Status.PodIP},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		})
	}
	return slice
}
