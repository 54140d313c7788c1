// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// defaultGrace is terminationGracePeriodSeconds where a pod says nothing.
const defaultGrace = 30

// addSleep lets containers without a preStop hook serve on while their callers
// learn that the pod ends (the action sleep, KEP-3960). A container that ends
// by itself, as a Job's does, runs no hook.
func addSleep(spec *corev1.PodSpec, sleep time.Duration) []Operation {
	grace := int64(defaultGrace)
	if spec.TerminationGracePeriodSeconds != nil {
		grace = *spec.TerminationGracePeriodSeconds
	}
	// The rest is the app's, and the API server refuses a sleep above the whole.
	wait := min(int64(sleep/time.Second), grace/2)
	if wait < 1 {
		return nil
	}
	hook := corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: wait}}
	var operations []Operation
	for i := range spec.Containers {
		path := fmt.Sprintf("/spec/containers/%d/lifecycle", i)
		switch lifecycle := spec.Containers[i].Lifecycle; {
		case lifecycle == nil:
			operations = append(operations, Operation{Op: "add", Path: path, Value: corev1.Lifecycle{PreStop: &hook}})
		case lifecycle.PreStop == nil:
			operations = append(operations, Operation{Op: "add", Path: path + "/preStop", Value: hook})
		}
	}
	return operations
}
