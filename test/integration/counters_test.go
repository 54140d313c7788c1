// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

// A policy edit sends exactly one resource to exactly the affected proxies.
func TestAPolicyEditSendsOneResourceToTheAffectedProxies(t *testing.T) {
	const services = 50
	accounts := []string{"bookstore", "bookbuyer", "bookthief"}
	namespace := newMeshNamespace(t)
	pods, proxies := map[string][]*corev1.Pod{}, wire{}
	for _, account := range accounts {
		newAccount(t, namespace, account)
		for i := range 2 {
			name := fmt.Sprintf("%s-%d", account, i)
			pods[account] = append(pods[account], run(t, newPod(t, namespace, name, account, labelled("app", account)), nextAddress()))
		}
	}
	for i := range services {
		account := accounts[i%len(accounts)]
		name := fmt.Sprintf("%s-%d", account, i)
		if i == 0 {
			name = "bookstore"
		}
		expose(t, namespace, serviceOf(name, account, "http", 14001), pods[account]...)
	}
	kubectl(t, strings.ReplaceAll(readers, "namespace: bookbuyer, ", ""), "create", "-n", namespace, "-f", "-")
	for account, pods := range pods {
		for i, pod := range pods {
			proxies[fmt.Sprintf("%s-%d", account, i)] = follow(t, identify(t, pod), pod)
		}
	}
	eventually(t, soon, "the policy in force", programmed(namespace, metav1.ConditionTrue, ""))

	for _, method := range []string{"POST", "PUT", "GET"} {
		proxies.sends(t, func() sent {
			patchPolicy(t, namespace, "readers", `[{"op":"replace","path":"/spec/rules/0/to/0/http/methods","value":["`+method+`"]}]`)
			one := []string{"RouteConfiguration in/14001"}
			return sent{"bookstore-0": one, "bookstore-1": one}
		})
	}
}

func patchPolicy(t *testing.T, namespace, name, patch string) {
	t.Helper()
	kubectl(t, "", "patch", "mp", "-n", namespace, name, "--type=json", "-p", patch)
}

// serviceOf is a Service of one port, whose name says what it speaks.
func serviceOf(name, app, port string, number int32) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app},
			Ports:    []corev1.ServicePort{{Name: port, Port: number, TargetPort: intstr.FromInt32(number)}},
		},
	}
}

// expose makes a Service, of which these are the endpoints.
func expose(t *testing.T, namespace string, service *corev1.Service, pods ...*corev1.Pod) *corev1.Service {
	t.Helper()
	publish(t, namespace, service, pods...)
	made, err := host.CoreV1().Services(namespace).Create(t.Context(), service, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// publish writes a Service's EndpointSlice, as its controller would.
func publish(t *testing.T, namespace string, service *corev1.Service, pods ...*corev1.Pod) {
	t.Helper()
	port := service.Spec.Ports[0]
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: service.Name, Labels: map[string]string{discoveryv1.LabelServiceName: service.Name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &port.Name, Port: &port.TargetPort.IntVal, Protocol: ptr.To(corev1.ProtocolTCP)}},
	}
	for _, pod := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{pod.Status.PodIP},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		})
	}
	slices := host.DiscoveryV1().EndpointSlices(namespace)
	_, err := slices.Update(t.Context(), slice, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = slices.Create(t.Context(), slice, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}
