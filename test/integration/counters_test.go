// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/test/await"
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
	await.Eventually(t, soon, "the policy in force", programmed(namespace, metav1.ConditionTrue, ""))

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
