// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"fmt"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
)

func (w *Writer) writeConfig(ctx context.Context, key types.NamespacedName) error {
	w.mu.Lock()
	inUse, unusable := w.inUse, w.unusable
	w.mu.Unlock()
	config, err := w.configs.Get(key.Name)
	if err != nil || inUse == nil || config.UID != inUse.UID || config.Generation != inUse.Generation {
		return err
	}
	status := configStatus(config, unusable)
	if apiequality.Semantic.DeepEqual(config.Status, status) {
		return nil
	}
	before := config.Status.Conditions
	config = config.DeepCopy()
	config.Status = status
	if _, err := w.client.MeshV1alpha1().MeshConfigs().UpdateStatus(ctx, config, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return fmt.Errorf("update the status of MeshConfig %s: %w", key.Name, err)
	}
	w.tell(config, before, status.Conditions)
	w.wrote(key)
	return nil
}

// configStatus says that a MeshConfig is in use, or why it cannot be.
func configStatus(config *v1alpha1.MeshConfig, unusable error) v1alpha1.MeshConfigStatus {
	out := *config.Status.DeepCopy()
	accepted := metav1.Condition{
		Type:               v1alpha1.ConditionAccepted,
		Status:             metav1.ConditionTrue,
		ObservedGeneration: config.Generation,
		Reason:             compile.ReasonAccepted,
		Message:            "the settings are in use",
	}
	if unusable != nil {
		accepted.Status = metav1.ConditionFalse
		accepted.Reason = compile.ReasonInvalid
		accepted.Message = cut(fmt.Sprintf("the settings cannot be compiled, and proxies keep what they have: %v", unusable))
	}
	meta.SetStatusCondition(&out.Conditions, accepted)
	return out
}
