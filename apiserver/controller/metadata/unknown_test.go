// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatDoesNothingIsNamedWithWhatWasMeant(t *testing.T) {
	type written map[string]string
	for _, test := range []struct {
		about               string
		of                  func(labels, annotations map[string]string) []string
		labels, annotations written
		want                []string
	}{
		{about: "what the mesh knows, and what is others'", of: UnknownOfPod,
			labels:      written{InjectLabel: "enabled", "app": "web"},
			annotations: written{ExcludeInboundPorts: "9090", MTLSAnnotation: "Strict", "example.org/mtls": "x"}},
		{about: "a misspelt annotation", of: UnknownOfPod,
			annotations: written{Prefix + "exclude-outbond-ports": "3306"},
			want:        []string{"annotation mesh.openservicemesh.io/exclude-outbond-ports does nothing: is mesh.openservicemesh.io/exclude-outbound-ports meant?"}},
		{about: "a name that is like none", of: UnknownOfPod,
			annotations: written{Prefix + "colour": "red"},
			want:        []string{"annotation mesh.openservicemesh.io/colour does nothing: the mesh has none of that name"}},
		{about: "an annotation that is a label", of: UnknownOfPod,
			annotations: written{InjectLabel: "disabled"},
			want:        []string{"annotation mesh.openservicemesh.io/inject does nothing: it is a label"}},
		{about: "a label that is an annotation", of: UnknownOfNamespace,
			labels: written{AccessAnnotation: "DefaultDeny"},
			want:   []string{"label mesh.openservicemesh.io/access does nothing: it is an annotation"}},
		{about: "a Namespace's on a pod", of: UnknownOfPod,
			annotations: written{VisibilityAnnotation: "Mesh"},
			want:        []string{"annotation mesh.openservicemesh.io/visibility does nothing: it acts on a Namespace"}},
		{about: "a pod's on a Namespace", of: UnknownOfNamespace,
			annotations: written{ProxyCPU: "1"},
			want:        []string{"annotation mesh.openservicemesh.io/proxy-cpu does nothing: it acts on a Pod"}},
		{about: "ports of a Namespace's pods", of: UnknownOfNamespace,
			annotations: written{MTLSPortsAnnotation: "9090=Permissive", AccessPortsAnnotation: "9090=Open"},
			want:        []string{"annotation mesh.openservicemesh.io/access-ports does nothing: it acts on a Pod"}},
		{about: "a value of the label that counts as no label", of: UnknownOfNamespace,
			labels: written{InjectLabel: "true"},
			want:   []string{"label mesh.openservicemesh.io/inject=true does nothing: write enabled or disabled"}},
	} {
		t.Run(test.about, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.of(test.labels, test.annotations)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhatDoesNothingIsBounded(t *testing.T) {
	annotations := map[string]string{}
	for i := range 1000 {
		annotations[fmt.Sprint(Prefix, "n", i)] = ""
	}
	got := UnknownOfPod(nil, annotations)
	if len(got) != maxUnknown+1 || !strings.HasPrefix(got[maxUnknown], "995 more") {
		t.Errorf("got %d sentences, the last %q", len(got), got[len(got)-1])
	}
}
