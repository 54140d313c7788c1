// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
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

var podsBound = metrics.NewGauge(&metrics.GaugeOpts{
	Name:           "mesh_pods_admission_bound",
	Help:           "1 if the ValidatingAdmissionPolicy that keeps pods of the mesh as the webhook made them is bound, 0 if not.",
	StabilityLevel: metrics.ALPHA,
})

func init() {
	legacyregistry.MustRegister(bound, podsBound)
}

// Watch follows a policy and its binding.
type Watch struct {
	name  string
	test  func(*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) error
	bound *metrics.Gauge
	// kept and lost are what the log says of the policy.
	kept, lost string

	factory  informers.SharedInformerFactory
	policies listers.ValidatingAdmissionPolicyLister
	bindings listers.ValidatingAdmissionPolicyBindingLister

	// read is true once both objects were listed.
	read  atomic.Bool
	mu    sync.RWMutex
	fault error
	// looked is true once fault is what a look has found.
	looked bool
}

// NewWatch follows mesh-podcertificate; until Run has read both objects nothing
// is bound.
func NewWatch(client kubernetes.Interface) *Watch {
	w := watch(client, PolicyName)
	w.test, w.bound = Check, bound
	w.kept, w.lost = "Certificate requests are protected by admission", "No workload certificate is issued: requests are not protected by admission"
	return w
}

// NewPodsWatch follows mesh-pods, the same way. Nothing waits for it: the metric
// and the log tell.
func NewPodsWatch(client kubernetes.Interface) *Watch {
	w := watch(client, PodsPolicyName)
	w.test, w.bound = CheckPods, podsBound
	w.kept, w.lost = "Pods of the mesh are protected by admission", "Pods of the mesh are not protected by admission"
	return w
}

func watch(client kubernetes.Interface, name string) *Watch {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	}))
	group := factory.Admissionregistration().V1()
	return &Watch{
		name:     name,
		factory:  factory,
		policies: group.ValidatingAdmissionPolicies().Lister(),
		bindings: group.ValidatingAdmissionPolicyBindings().Lister(),
		fault:    errors.New("ValidatingAdmissionPolicy " + name + " has not been read yet"),
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
	w.read.Store(true)
	w.check(ctx)
	<-ctx.Done()
	w.factory.Shutdown()
}

// Ready tells why the policy does not protect, nil if it does.
func (w *Watch) Ready() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.fault
}

func (w *Watch) check(ctx context.Context) {
	// What has not been listed yet is not missing.
	if !w.read.Load() {
		return
	}
	// Both informers call: who reads last must be who writes last.
	w.mu.Lock()
	defer w.mu.Unlock()
	policy, err := w.policies.Get(w.name)
	if err != nil && !apierrors.IsNotFound(err) {
		return
	}
	binding, err := w.bindings.Get(w.name)
	if err != nil && !apierrors.IsNotFound(err) {
		return
	}
	fault := w.test(policy, binding)
	// The first look is told as well.
	changed := !w.looked || (fault == nil) != (w.fault == nil)
	w.looked = true
	w.fault = fault
	if fault == nil {
		w.bound.Set(1)
	} else {
		w.bound.Set(0)
	}
	switch {
	case changed && fault == nil:
		klog.FromContext(ctx).Info(w.kept, "policy", w.name)
	case changed:
		klog.FromContext(ctx).Error(fault, w.lost, "policy", w.name)
	}
}
