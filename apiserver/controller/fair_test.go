// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world/worldtest"
)

func floodService(namespace string, i, port int) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("s", i), UID: types.UID(fmt.Sprint(namespace, i))}}
	s.Spec.ClusterIP = fmt.Sprintf("198.19.%d.%d", len(namespace), i+1)
	s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: int32(port)}}
	return s
}

// Whoever edits Services without end holds up no policy of another namespace.
func TestAnEndlessFloodOfServicesHoldsUpNoWorkload(t *testing.T) {
	e := flooded(t)
	for i := range floodWorkloads {
		e.World.SetService(floodService("shop", i, 80))
	}
	e.step(t.Context())
	worldtest.Set(e.World, neighbourPolicy(2))
	want := originOf(neighbourPolicy(2))
	for step := range 50 {
		for i := range floodWorkloads {
			e.World.SetService(floodService("shop", i, 81+step))
		}
		if reports(e.step(t.Context()))[want] != nil {
			return
		}
	}
	t.Error("in 50 steps the neighbour's edit has not had its turn")
}

// Whoever edits without end holds up no namespace that has more to be done than his own.
func TestAnEndlessFloodHoldsUpNoLargerNamespace(t *testing.T) {
	e := flooded(t)
	for i := range 2 * floodWorkloads {
		pod := meshedPod(100 + i)
		pod.Namespace = "larger"
		e.World.SetPod(pod)
	}
	policy := neighbourPolicy(2)
	policy.Namespace = "larger"
	policy.Spec.Selector = nil
	policy.Spec.TargetRefs = nil
	e.step(t.Context())
	worldtest.Set(e.World, policy)
	want := originOf(policy)
	for step := range int64(100) {
		worldtest.Set(e.World, floodPolicy(0, 2+step))
		if reports(e.step(t.Context()))[want] != nil {
			return
		}
	}
	t.Error("in 100 steps the larger namespace's edit has not had its turn")
}

// A namespace that has long had much to be done does not hold up one that has little.
func TestWhatIsDueHoldsUpNoNeighbour(t *testing.T) {
	e := flooded(t)
	for step := range int64(20) {
		worldtest.Set(e.World, floodPolicy(0, 2+step))
		e.step(t.Context())
	}
	worldtest.Set(e.World, floodPolicy(0, 99))
	worldtest.Set(e.World, neighbourPolicy(2))
	if out := e.step(t.Context()); reports(out)[originOf(neighbourPolicy(2))] == nil {
		t.Error("the neighbour's edit waits")
	}
}

// Pods that come and go without end hold up no policy: the outbound listener, which is made
// anew each time, is no part of what a step may make of workloads.
func TestPodsThatComeAndGoHoldUpNoWorkload(t *testing.T) {
	e := flooded(t)
	worldtest.Set(e.World, neighbourPolicy(2))
	want := originOf(neighbourPolicy(2))
	for step := range 50 {
		pod := meshedPod(0)
		pod.Name, pod.UID = fmt.Sprint("pod-new-", step), types.UID(fmt.Sprint("new-", step))
		pod.Status.PodIPs = []corev1.PodIP{{IP: fmt.Sprintf("198.18.200.%d", step+1)}}
		e.World.SetPod(pod)
		if reports(e.step(t.Context()))[want] != nil {
			return
		}
	}
	t.Error("in 50 steps the policy has not had its turn")
}

// Whoever edits without end keeps no report on others' objects from being told: they are
// carried out when all that had to be made with them has been made once.
func TestAnEndlessFloodHoldsUpNoReport(t *testing.T) {
	e := flooded(t)
	everywhere := neighbourPolicy(2)
	everywhere.Namespace, everywhere.Spec.Selector = worldtest.SystemNamespace, nil
	worldtest.Set(e.World, everywhere)
	config := &v1alpha1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.MeshConfigName, UID: "c", Generation: 7}}
	config.Spec.Traffic.Access = v1alpha1.AccessDefaultDeny
	e.World.SetConfig(config)
	policy, settings := false, false
	for step := range int64(100) {
		worldtest.Set(e.World, floodPolicy(0, 2+step))
		out := e.step(t.Context())
		policy = policy || reports(out)[originOf(everywhere)] != nil
		settings = settings || len(configs(out)) > 0
	}
	if !policy || !settings {
		t.Errorf("in 100 steps the administrators' policy was reported on: %v; the MeshConfig: %v", policy, settings)
	}
}
