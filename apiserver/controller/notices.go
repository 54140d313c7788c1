// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// notice is one that has not been told yet, with the object that it is about.
type notice struct {
	about corev1.ObjectReference
	compile.Notice
}

// notebook remembers what was told of each object, so that it is told once.
type notebook struct {
	told map[corev1.ObjectReference]told
	news []notice
}

// told is what was said last. An object that was made anew is another one.
type told struct {
	uid     types.UID
	notices []compile.Notice
}

func newNotebook() *notebook {
	return &notebook{told: map[corev1.ObjectReference]told{}}
}

// note replaces all that there is to say of an object; no notices mean that it
// is well, or gone.
func (n *notebook) note(about corev1.ObjectReference, notices []compile.Notice) {
	key := about
	key.UID = ""
	last := n.told[key]
	for _, one := range notices {
		if last.uid != about.UID || !slices.Contains(last.notices, one) {
			n.news = append(n.news, notice{about, one})
		}
	}
	if len(notices) == 0 {
		delete(n.told, key)
		return
	}
	n.told[key] = told{about.UID, notices}
}

// tell adds one whose memory is kept elsewhere.
func (n *notebook) tell(about corev1.ObjectReference, one compile.Notice) {
	n.news = append(n.news, notice{about, one})
}

// take gives what is new since the last call.
func (n *notebook) take() []notice {
	news := n.news
	n.news = nil
	return news
}

// serviceNotices notes what there is to say of a Service.
func (e *engine) serviceNotices(key world.Key) {
	about := corev1.ObjectReference{APIVersion: "v1", Kind: world.KindService, Namespace: key.Namespace, Name: key.Name}
	if service := e.world.Service(key); service != nil {
		about.UID = service.UID
	}
	e.note(about, func() []compile.Notice { return compile.ServiceNotices(e.world, key) })
}

// namespaceNotices notes what there is to say of a Namespace.
func (e *engine) namespaceNotices(namespace string) {
	about := corev1.ObjectReference{APIVersion: "v1", Kind: world.KindNamespace, Name: namespace}
	e.note(about, func() []compile.Notice { return compile.NamespaceNotices(e.world, namespace) })
}

// makerNotices notes what there is to say of the maker of pods.
func (e *engine) makerNotices(maker world.Maker) {
	about := corev1.ObjectReference{
		APIVersion: maker.APIVersion, Kind: maker.Kind, Namespace: maker.Key.Namespace, Name: maker.Key.Name, UID: types.UID(maker.UID),
	}
	e.note(about, func() []compile.Notice { return compile.MakerNotices(e.world, maker) })
}

func (e *engine) note(about corev1.ObjectReference, find func() []compile.Notice) {
	var found []compile.Notice
	err := guarded(kindNotice, func() error {
		found = find()
		return nil
	})
	if err == nil {
		e.notebook.note(about, found)
	}
}

// record shows news as Events.
func (c *Controller) record(news []notice) {
	for i := range news {
		noticesTotal.WithLabelValues(news[i].Reason).Inc()
		if c.events != nil {
			c.events.Eventf(&news[i].about, nil, corev1.EventTypeWarning, news[i].Reason, "Compile", "%s", cutNote(news[i].Message))
		}
	}
}
