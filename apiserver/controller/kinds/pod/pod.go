// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pod says what the author of a pod must see.
package pod

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Name is that of the kind of unit.
const Name = "pod"

// Unit says what in a pod's metadata does not act as it is written.
var Unit = engine.Kind{
	Name: Name,
	Watch: func(w *world.World, changed func(string)) {
		w.OnSpeaking(func(id model.ProxyID) { changed(id.String()) })
	},
	Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
		pod := r.PodOf(model.ParseProxyID(name))
		if pod == nil || !pod.Speaks {
			return engine.Product{Gone: true}, nil
		}
		view := r.View(pod.View)
		var problems []string
		if len(view.Traffic) > 0 {
			problems = compile.WorkloadProblems(r, view)
		}
		problems = slices.Concat(problems, pod.Unknown)
		if len(problems) == 0 {
			return engine.Product{}, nil
		}
		return engine.Product{Notices: []engine.Notice{{
			About: reference(pod), Reason: compile.ReasonTrafficAnnotation, Message: strings.Join(problems, "; "), Action: "Configure",
		}}}, nil
	},
	Effect: "nothing new is said of it",
}

// Scrape says, of the pods of a view, that a Prometheus which they ask to come is
// refused. A rollout makes many pods that are alike, so it is said of one.
var Scrape = engine.Kind{
	Name:  "scrape",
	Watch: func(w *world.World, changed func(string)) { w.OnAsking(changed) },
	Build: func(r world.Reader, view string, _ any) (engine.Product, error) {
		pod, found, refused := compile.ScrapeNotice(r, view)
		if !refused {
			return engine.Product{Gone: !r.AsksToBeScraped(view)}, nil
		}
		notices := engine.About(reference(pod), []compile.Notice{found})
		notices[0].Subject = view
		return engine.Product{Notices: notices}, nil
	},
	Effect: "nothing new is said of them",
}

func reference(pod *world.Pod) corev1.ObjectReference {
	return corev1.ObjectReference{APIVersion: "v1", Kind: world.KindPod, Namespace: pod.Key.Namespace, Name: pod.Key.Name, UID: types.UID(pod.UID)}
}
