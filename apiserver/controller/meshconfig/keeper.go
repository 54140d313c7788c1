// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package meshconfig sees to it that the MeshConfig named default is there:
// deleting it means going back to the defaults.
package meshconfig

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
)

// again is how soon a creation that failed is tried again: the object is to be
// there within a second of its deletion.
const again = 200 * time.Millisecond

// heldLook is how often a database is asked about that may not be used.
const heldLook = time.Second

// Keeper makes the MeshConfig when it is missing.
type Keeper struct {
	client versioned.Interface
	// trustDomain is the one that the object is made with.
	trustDomain string
	// database tells why the present one must not be used, as controller.Options does.
	database func(ctx context.Context, changed bool) error
	synced   cache.InformerSynced
	// missing has a value in it whenever the object may be missing.
	missing chan struct{}
}

// New makes a Keeper and registers it with the informer, which the caller
// starts. The trust domain cannot be changed in the object, so it is chosen here.
// Nothing is made while database, asked with changed, is an error: settings that
// were lost with a database must not look as if they had been the defaults.
func New(client versioned.Interface, informers externalversions.SharedInformerFactory, trustDomain string, database func(ctx context.Context, changed bool) error) (*Keeper, error) {
	k := &Keeper{client: client, trustDomain: trustDomain, database: database, missing: make(chan struct{}, 1)}
	registration, err := informers.Mesh().V1alpha1().MeshConfigs().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		DeleteFunc: func(any) { k.LookAgain() },
	})
	if err != nil {
		return nil, fmt.Errorf("watch MeshConfigs: %w", err)
	}
	k.synced = registration.HasSynced
	return k, nil
}

// LookAgain has the Keeper look whether the object is there. It does not wait.
func (k *Keeper) LookAgain() {
	select {
	case k.missing <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. It may run again when it has returned.
func (k *Keeper) Run(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), k.synced) {
		return fmt.Errorf("wait for MeshConfigs: %w", context.Cause(ctx))
	}
	k.LookAgain()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.missing:
			if k.database(ctx, true) != nil {
				time.AfterFunc(heldLook, k.LookAgain)
				continue
			}
			k.create(ctx)
		}
	}
}

// create makes the object with nothing else set, so that the API server's
// defaults apply, and tries until it is there.
func (k *Keeper) create(ctx context.Context) {
	config := &v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.MeshConfigName}}
	config.Spec.Certificate.TrustDomain = k.trustDomain
	// It ends with ctx alone.
	_ = wait.PollUntilContextCancel(ctx, again, true, func(ctx context.Context) (bool, error) {
		_, err := k.client.MeshV1alpha1().MeshConfigs().Create(ctx, config, metav1.CreateOptions{FieldManager: "mesh-apiserver"})
		if err == nil || apierrors.IsAlreadyExists(err) {
			return true, nil
		}
		if ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Cannot create the MeshConfig, will try again", "name", v1alpha1.MeshConfigName)
		}
		return false, nil
	})
}
