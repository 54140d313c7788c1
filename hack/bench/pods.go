// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// podRounds is how many pods of each kind are made.
const podRounds = 25

// relist is how often the kubelet looks for containers that have ended (its
// GenericPLEG). A pod that is made as soon as the last one was ready would always
// meet the same part of that period, so each is made at a random one.
const relist = time.Second

// bookstoreImage is the demo's application; as a visitor it only waits.
const bookstoreImage = "docker.io/local/bookstore:dev"

// measurePods makes pods, in turn outside and inside the mesh, and takes the
// time until each runs and is ready.
func measurePods(ctx context.Context, _ *session) (figures []Figure, err error) {
	_, client, err := liveCluster()
	if err != nil {
		return nil, err
	}
	namespaces := map[string]string{"without the mesh": "bench-plain", "with the mesh": "bench-mesh"}
	kinds := []string{"without the mesh", "with the mesh"}
	for _, kind := range kinds {
		defer func() {
			err = errors.Join(err, client.CoreV1().Namespaces().Delete(context.WithoutCancel(ctx), namespaces[kind], metav1.DeleteOptions{}))
		}()
		if err := makePodNamespace(ctx, client, namespaces[kind], kind == "with the mesh"); err != nil {
			return nil, fmt.Errorf("make namespace %s: %w", namespaces[kind], err)
		}
	}
	took := map[string][]float64{}
	// The first of each is for caches.
	for i := range podRounds + 1 {
		for _, kind := range kinds {
			d, err := podStart(ctx, client, namespaces[kind], fmt.Sprint("pod-", i))
			if err != nil {
				return nil, fmt.Errorf("start a pod %s: %w", kind, err)
			}
			if i > 0 {
				took[kind] = append(took[kind], d.Seconds())
			}
		}
	}
	for _, kind := range kinds {
		figures = append(figures,
			Figure{Name: "pod created → ready, " + kind + ", p50", Value: median(took[kind]), Unit: "s", Samples: podRounds},
			Figure{Name: "pod created → ready, " + kind + ", slowest", Value: quantile(took[kind], 1), Unit: "s", Samples: podRounds})
	}
	// The pods of a pair are made one after the other, so that they meet the same load.
	var later []float64
	for i, with := range took[kinds[1]] {
		later = append(later, with-took[kinds[0]][i])
	}
	return append(figures, Figure{Name: "later by the mesh, of pairs, p50", Value: median(later), Unit: "s", Samples: podRounds, Aim: atMost(1.5)}), nil
}

func makePodNamespace(ctx context.Context, client kubernetes.Interface, name string, meshed bool) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	if meshed {
		namespace.Labels["mesh.openservicemesh.io/inject"] = "enabled"
		namespace.Labels["pod-security.kubernetes.io/enforce"] = "privileged"
	}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return await(ctx, "the default account", func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
}

// podStart makes a pod, sees it become ready, and takes it away.
func podStart(ctx context.Context, client kubernetes.Interface, namespace, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	pods := client.CoreV1().Pods(namespace)
	watch, err := pods.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return 0, err
	}
	defer watch.Stop()
	time.Sleep(rand.N(relist))
	start := time.Now()
	if _, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To(int64(0)),
			Containers:                    []corev1.Container{{Name: "app", Image: bookstoreImage, Args: []string{"visitor"}, ImagePullPolicy: corev1.PullIfNotPresent}},
		},
	}, metav1.CreateOptions{}); err != nil {
		return 0, err
	}
	defer func() { _ = pods.Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{}) }()
	for event := range watch.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && isReady(pod) {
			return time.Since(start), nil
		}
	}
	return 0, fmt.Errorf("pod %s/%s was not ready within a minute", namespace, name)
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
