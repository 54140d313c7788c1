// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package maker says what the author of a controller must see of its pods.
package maker

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Unit says it.
var Unit = engine.Kind{
	Name:  "maker",
	Watch: func(w *world.World, changed func(string)) { w.OnMaker(func(m world.Maker) { changed(m.String()) }) },
	Build: func(r world.Reader, name string, _ any) (engine.Product, error) {
		m := world.ParseMaker(name)
		about := corev1.ObjectReference{APIVersion: m.APIVersion, Kind: m.Kind, Namespace: m.Key.Namespace, Name: m.Key.Name, UID: types.UID(m.UID)}
		return engine.Product{Gone: len(r.PodsOf(m)) == 0, Notices: engine.About(about, compile.MakerNotices(r, m))}, nil
	},
	Effect: "nothing new is said of it",
}
