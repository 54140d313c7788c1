// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/compile"
)

// About makes notices of what there is to say of an object.
func About(object corev1.ObjectReference, found []compile.Notice) []Notice {
	var notices []Notice
	for _, n := range found {
		notices = append(notices, Notice{About: object, Reason: n.Reason, Message: n.Message, Action: "Compile"})
	}
	return notices
}
