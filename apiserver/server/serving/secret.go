// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// SecretName is the Secret of the system namespace that keeps the pair.
const SecretName = "mesh-apiserver-tls"

// read gives the Secret and its content. It creates the Secret if it is absent,
// with the pair in use, if there is one; of two servers that create it one finds
// the other's. Content that cannot serve is replaced: clients refuse it anyway.
func (s *Serving) read(ctx context.Context) (*corev1.Secret, content, error) {
	secrets := s.client.CoreV1().Secrets(s.namespace)
	secret, err := secrets.Get(ctx, SecretName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		secret, err = s.create(ctx)
	}
	if apierrors.IsAlreadyExists(err) {
		secret, err = secrets.Get(ctx, SecretName, metav1.GetOptions{})
	}
	if err != nil {
		return nil, content{}, fmt.Errorf("read or create Secret %s: %w", SecretName, err)
	}
	c, err := decode(secret.Data)
	if err == nil && c.current.serves(s.names, time.Now()) {
		return secret, c, nil
	}
	klog.FromContext(ctx).Info("Replacing a serving pair that no client accepts", "secret", klog.KObj(secret), "parseError", err)
	fresh, err := generate(s.names, time.Now())
	if err != nil {
		return nil, content{}, err
	}
	return s.update(ctx, secret, content{current: fresh})
}

func (s *Serving) create(ctx context.Context) (*corev1.Secret, error) {
	c := s.content()
	if c == nil {
		fresh, err := generate(s.names, time.Now())
		if err != nil {
			return nil, err
		}
		c = &content{current: fresh}
	}
	return s.client.CoreV1().Secrets(s.namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: SecretName, Namespace: s.namespace},
		Type:       corev1.SecretTypeTLS,
		Data:       c.encode(),
	}, metav1.CreateOptions{})
}

// update writes content over what was read; a Secret that changed meanwhile is an
// error, to be retried from read.
func (s *Serving) update(ctx context.Context, secret *corev1.Secret, c content) (*corev1.Secret, content, error) {
	changed := secret.DeepCopy()
	changed.Data = c.encode()
	stored, err := s.client.CoreV1().Secrets(s.namespace).Update(ctx, changed, metav1.UpdateOptions{})
	if err != nil {
		return nil, content{}, fmt.Errorf("update Secret %s: %w", SecretName, err)
	}
	return stored, c, nil
}
