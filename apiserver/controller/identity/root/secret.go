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

// Kept is a Keyring as the API server has it.
type Kept struct {
	Keyring
	secret *corev1.Secret
}

// Get reads the root. The error of a Secret that is not there satisfies
// apierrors.IsNotFound.
func Get(ctx context.Context, client kubernetes.Interface, namespace string) (Kept, error) {
	secret, err := client.CoreV1().Secrets(namespace).Get(ctx, SecretName, metav1.GetOptions{})
	if err != nil {
		return Kept{}, fmt.Errorf("read Secret %s/%s: %w", namespace, SecretName, err)
	}
	return kept(secret)
}

// Create keeps a new root, which remembers a database from the start, or reads the
// one that another server created first.
func Create(ctx context.Context, client kubernetes.Interface, namespace string, now time.Time, database string) (Kept, error) {
	signing, err := Generate(now)
	if err != nil {
		return Kept{}, err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: SecretName, Namespace: namespace},
		Type:       corev1.SecretTypeTLS,
	}
	if err := (Keyring{Signing: signing, Longest: usualLeafLife, Database: database}).encode(secret); err != nil {
		return Kept{}, err
	}
	created, err := client.CoreV1().Secrets(namespace).Create(ctx, secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return Get(ctx, client, namespace)
	}
	if err != nil {
		return Kept{}, fmt.Errorf("create Secret %s/%s: %w", namespace, SecretName, err)
	}
	return kept(created)
}

// Update makes the Secret hold another Keyring. If the Secret has changed since it
// was read, by another server perhaps, nothing is written and the error satisfies
// apierrors.IsConflict.
func (k Kept) Update(ctx context.Context, client kubernetes.Interface, next Keyring) (Kept, error) {
	secret := k.secret.DeepCopy()
	if err := next.encode(secret); err != nil {
		return Kept{}, err
	}
	updated, err := client.CoreV1().Secrets(secret.Namespace).Update(ctx, secret, metav1.UpdateOptions{})
	if err != nil {
		return Kept{}, fmt.Errorf("update Secret %s/%s: %w", secret.Namespace, SecretName, err)
	}
	return kept(updated)
}

func kept(secret *corev1.Secret) (Kept, error) {
	k, err := decode(secret)
	if err != nil {
		return Kept{}, fmt.Errorf("Secret %s/%s: %w", secret.Namespace, SecretName, err)
	}
	return Kept{Keyring: k, secret: secret}, nil
}
