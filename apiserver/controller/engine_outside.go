// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// scrapes looks again at what pods ask of Prometheus.
func (e *engine) scrapes(dirty world.Dirty) {
	for view := range dirty.Views {
		dirty.Scraped[view] = struct{}{}
	}
	for view := range dirty.Scraped {
		_ = guarded(kindNotice, func() error {
			e.scrape(view)
			return nil
		})
	}
}

// scrape tells once a view, on one of its pods, that a Prometheus is refused: a
// rollout makes many pods that are alike.
func (e *engine) scrape(view string) {
	pod, found, refused := compile.ScrapeNotice(e.world, view)
	if !refused {
		delete(e.scraped, view)
		return
	}
	if e.scraped[view] == found.Message {
		return
	}
	e.scraped[view] = found.Message
	e.notebook.tell(corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.Key.Namespace, Name: pod.Key.Name, UID: types.UID(pod.UID),
	}, found)
}
