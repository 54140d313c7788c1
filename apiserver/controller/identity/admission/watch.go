// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/admissionregistration/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"
)

var bound = metrics.NewGauge(&metrics.GaugeOpts{
	Name:           "mesh_identity_admission_bound",
	Help:           "1 if the ValidatingAdmissionPolicy that protects the signer is bound, 0 if nothing is signed for want of it.",
	StabilityLevel: metrics.ALPHA,
})

func init() {
	legacyregistry.MustRegister(bound)
}

// Watch follows the policy and its binding.
type Watch struct {
	factory  informers.SharedInformerFactory
	policies listers.ValidatingAdmissionPolicyLister
	bindings listers.ValidatingAdmissionPolicyBindingLister

	mu    sync.RWMutex
	fault error
}

// NewWatch makes a Watch; until Run has read both objects nothing is bound.
func NewWatch(client kubernetes.Interface) *Watch {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, PolicyName).String()
	}))
	group := factory.Admissionregistration().V1()
	return &Watch{
		factory:  factory,
		policies: group.ValidatingAdmissionPolicies().Lister(),
		bindings: group.ValidatingAdmissionPolicyBindings().Lister(),
		fault:    errors.New("ValidatingAdmissionPolicy " + PolicyName + " has not been read yet"),
	}
}

// Run watches until the context ends.
func (w *Watch) Run(ctx context.Context) {
	check := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { w.check(ctx) },
		UpdateFunc: func(any, any) { w.check(ctx) },
		DeleteFunc: func(any) { w.check(ctx) },
	}
	group := w.factory.Admissionregistration().V1()
	// AddEventHandler fails only on an informer that was stopped.
	_, _ = group.ValidatingAdmissionPolicies().Informer().AddEventHandler(check)
	_, _ = group.ValidatingAdmissionPolicyBindings().Informer().AddEventHandler(check)
	w.factory.StartWithContext(ctx)
	w.factory.WaitForCacheSync(ctx.Done())
	w.check(ctx)
	<-ctx.Done()
	w.factory.Shutdown()
}

// Ready tells why requests for our signer are not protected, nil if they are.
func (w *Watch) Ready() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.fault
}

func (w *Watch) check(ctx context.Context) {
	// Both informers call: who reads last must be who writes last.
	w.mu.Lock()
	defer w.mu.Unlock()
	policy, err := w.policies.Get(PolicyName)
	if err != nil && !apierrors.IsNotFound(err) {
		return
	}
	binding, err := w.bindings.Get(PolicyName)
	if err != nil && !apierrors.IsNotFound(err) {
		return
	}
	fault := Check(policy, binding)
	changed := (fault == nil) != (w.fault == nil)
	w.fault = fault
	if fault == nil {
		bound.Set(1)
	} else {
		bound.Set(0)
	}
	switch {
	case changed && fault == nil:
		klog.FromContext(ctx).Info("Certificate requests are protected by admission", "policy", PolicyName)
	case changed:
		klog.FromContext(ctx).Error(fault, "No workload certificate is issued: requests are not protected by admission")
	}
}
