// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"errors"
	"fmt"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// maxReasons and maxReason, in bytes, bound what one refusal says: it becomes an
// Event of a ReplicaSet, and its author chose some of the words.
const (
	maxReasons = 8
	maxReason  = 512
)

// optOut is the remedy of last resort.
const optOut = "label the pod " + metadata.InjectLabel + "=" + metadata.InjectDisabled

// reason is one thing that keeps a pod out of the mesh.
type reason struct {
	// what names the field, and may end in its own remedy.
	what string
	// remedies are alternatives: any of them is enough for this reason.
	remedies []string
}

func (r reason) String() string {
	if len(r.remedies) == 0 {
		return r.what
	}
	return r.what + ": " + alternatives(r.remedies)
}

// reasons are all that was found, so that the author of a pod mends them at once.
type reasons []reason

func (r *reasons) add(what string, remedies ...string) {
	if len(what) > maxReason {
		what = strings.ToValidUTF8(what[:maxReason], "") + "…"
	}
	*r = append(*r, reason{what, remedies})
}

// addErrors takes sentences that say their remedy themselves.
func (r *reasons) addErrors(errs []error) {
	for _, err := range errs {
		r.add(err.Error())
	}
}

// err is the refusal, nil if there is no reason for one. A remedy stands once
// behind neighbours that share it.
func (r reasons) err() error {
	switch len(r) {
	case 0:
		return nil
	case 1:
		return errors.New(r[0].String())
	}
	shown := r[:min(len(r), maxReasons)]
	var text strings.Builder
	fmt.Fprintf(&text, "%d reasons", len(r))
	for i, one := range shown {
		remedies, last := alternatives(one.remedies), i == len(shown)-1
		if !last && remedies == alternatives(shown[i+1].remedies) {
			one.remedies = nil
		}
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&text, "%s(%d) %s", separator, i+1, one)
	}
	if more := len(r) - len(shown); more > 0 {
		fmt.Fprintf(&text, "; and %d more", more)
	}
	return errors.New(text.String())
}

// alternatives are "a", "a, or b", "a, b, or c".
func alternatives(remedies []string) string {
	if len(remedies) < 2 {
		return strings.Join(remedies, "")
	}
	last := len(remedies) - 1
	return strings.Join(remedies[:last], ", ") + ", or " + remedies[last]
}
