// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// SecretName is the Secret of the system namespace that keeps the root, of type
// kubernetes.io/tls.
const SecretName = "mesh-root"

// Get reads the root. The error of a Secret that is not there satisfies
// apierrors.IsNotFound.
func Get(ctx context.Context, client kubernetes.Interface, namespace string) (*Root, error) {
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, SecretName, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", namespace, SecretName, err)
	}
	root, err := Parse(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("Secret %s/%s: %w", namespace, SecretName, err)
	}
	return root, nil
}

// Create keeps a new root, or reads the one that another server created first.
func Create(ctx context.Context, client kubernetes.Interface, namespace string, now time.Time) (*Root, error) {
	root, err := Generate(now)
	if err != nil {
		return nil, err
	}
	key, err := root.keyPEM()
	if err != nil {
		return nil, err
	}
	_, err = client.CoreV1().Secrets(namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: SecretName, Namespace: namespace},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: root.PEM(), corev1.TLSPrivateKeyKey: key},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return Get(ctx, client, namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("create Secret %s/%s: %w", namespace, SecretName, err)
	}
	return root, nil
}
