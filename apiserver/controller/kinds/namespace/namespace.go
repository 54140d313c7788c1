// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package namespace says what the author of a Namespace must see.
package namespace

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Name is that of the kind of unit.
const Name = "namespace"

// Unit says it.
var Unit = engine.Kind{
	Name: Name,
	Watch: func(w *world.World, changed func(string)) {
		w.OnVisibility(changed)
		w.OnNamespaceTraffic(changed)
	},
	Build: func(r world.Reader, namespace string, _ any) (engine.Product, error) {
		about := corev1.ObjectReference{APIVersion: "v1", Kind: world.KindNamespace, Name: namespace}
		notices := engine.About(about, compile.NamespaceNotices(r, namespace))
		if problems := compile.NamespaceProblems(r, namespace); len(problems) > 0 {
			about.UID = types.UID(r.NamespaceUID(namespace))
			notices = append(notices, engine.Notice{
				About: about, Reason: compile.ReasonTrafficAnnotation, Message: strings.Join(problems, "; "), Action: "Configure",
			})
		}
		return engine.Product{Gone: !r.Speaks(namespace), Notices: notices}, nil
	},
	Effect: "nothing new is said of it",
}
