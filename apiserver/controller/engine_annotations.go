// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// annotated is an object whose annotations speak of traffic: a pod, or, if it
// has no name of one, a Namespace.
type annotated model.ProxyID

func (a annotated) kind() string {
	if a.Pod == "" {
		return "Namespace"
	}
	return "Pod"
}

// warning is what an Event says of an object: what in its annotations does not
// act as it is written.
type warning struct {
	about   annotated
	message string
}

// annotations looks again at what has changed, and gives what there is to warn
// of that was not warned of before.
func (e *engine) annotations(dirty world.Dirty) []warning {
	var warnings []warning
	note := func(about annotated, problems []string) {
		message := strings.Join(problems, "; ")
		if message != "" && e.warned[about] != message {
			warnings = append(warnings, warning{e.withUID(about), message})
		}
		e.warned[about] = message
		if message == "" {
			delete(e.warned, about)
		}
	}
	for namespace := range dirty.Namespaces {
		note(annotated{Namespace: namespace}, compile.NamespaceProblems(e.world, namespace))
	}
	views := map[string]struct{}{}
	for view := range dirty.Views {
		views[view] = struct{}{}
	}
	for id := range dirty.Proxies {
		proxy, there := e.world.Proxy(id)
		if !there || len(e.world.View(proxy.Own()).Traffic) == 0 {
			note(annotated(id), e.unknown(id))
			continue
		}
		views[proxy.Own()] = struct{}{}
	}
	for name := range views {
		view := e.world.View(name)
		if view == nil || len(view.Traffic) == 0 {
			continue
		}
		problems := compile.WorkloadProblems(e.world, view)
		for _, pod := range e.world.PodsIn(name) {
			note(annotated(pod.ProxyID()), slices.Concat(problems, pod.Unknown))
		}
	}
	countAnnotations(e.warned)
	return warnings
}

// unknown is what does nothing in a pod's metadata, nil if the pod is gone.
func (e *engine) unknown(id model.ProxyID) []string {
	pod := e.world.Pod(world.Key{Namespace: id.Namespace, Name: id.Pod})
	if pod == nil || pod.UID != id.UID {
		return nil
	}
	return pod.Unknown
}

// withUID adds the UID to a Namespace, which warned knows by its name alone.
func (e *engine) withUID(about annotated) annotated {
	if about.Pod == "" {
		about.UID = e.world.NamespaceUID(about.Namespace)
	}
	return about
}
