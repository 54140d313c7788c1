// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
	"github.com/openservicemesh/mesh-apiserver/apis/scheme"
)

// A value of the wrong JSON type is refused by the field and what it must be.
func TestAValueOfTheWrongTypeIsExplained(t *testing.T) {
	serializers := explainingSerializer{scheme.Codecs, scheme.Scheme}
	json, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	yaml, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeYAML)
	group := runtime.InternalGroupVersioner
	for _, c := range []struct{ kind, spec, want string }{
		{"MeshPolicy", `{"rules": "all"}`, "spec.rules: must be a list, not a string; see kubectl explain meshpolicy.spec.rules"},
		{"MeshPolicy", `{"rules": [{"from": "everybody"}]}`, "spec.rules.from: must be a list, not a string; see kubectl explain meshpolicy.spec.rules.from"},
		{"MeshPolicy", `{"rules": [{"from": [{"namespaces": "a"}]}]}`, "spec.rules.from.namespaces: must be a list, not a string; see kubectl explain meshpolicy.spec.rules.from.namespaces"},
		{"MeshPolicy", `{"rules": [{"to": [{"all": true}]}]}`, "spec.rules.to.all: must be an object, not true or false; see kubectl explain meshpolicy.spec.rules.to.all"},
		{"MeshPolicy", `{"rules": [{"to": [{"http": {"methods": [1]}}]}]}`, "spec.rules.to.http.methods: each value must be a string, not a number; see kubectl explain meshpolicy.spec.rules.to.http.methods"},
		{"MeshPolicy", `{"rules": ["all"]}`, "spec.rules: each value must be an object, not a string; see kubectl explain meshpolicy.spec.rules"},
		{"MeshPolicy", `{"rules": [{"to": [{"ports": [80, {}]}]}]}`, "spec.rules.to.ports: each value must be a whole number or a string, not {}; see kubectl explain meshpolicy.spec.rules.to.ports"},
		{"MeshPolicy", `{"action": ["Allow"]}`, "spec.action: must be a string, not a list; see kubectl explain meshpolicy.spec.action"},
		{"MeshPolicy", `{"selector": "app=web"}`, "spec.selector: must be an object, not a string; see kubectl explain meshpolicy.spec.selector"},
		{"MeshPolicy", `{"selector": {"matchLabels": {"app": 1}}}`, "spec.selector.matchLabels: each value must be a string, not a number; see kubectl explain meshpolicy.spec.selector.matchLabels"},
		{"MeshConfig", `{"sidecar": {"concurrency": "two"}}`, "spec.sidecar.concurrency: must be a whole number, not a string; see kubectl explain meshconfig.spec.sidecar.concurrency"},
		{"MeshConfig", `{"sidecar": {"concurrency": 1.5}}`, "spec.sidecar.concurrency: must be a whole number, not a number; see kubectl explain meshconfig.spec.sidecar.concurrency"},
		{"MeshConfig", `{"sidecar": {"drainTime": 30}}`, `spec.sidecar.drainTime: must be a duration such as "30s" or "1h30m", not 30; see kubectl explain meshconfig.spec.sidecar.drainTime`},
		{"MeshConfig", `{"sidecar": {"concurrency": 2}, "certificate": {"lifetime": "24"}}`, `spec.certificate.lifetime: must be a duration such as "30s" or "1h30m", not "24"; see kubectl explain meshconfig.spec.certificate.lifetime`},
		{"MeshConfig", `{"sidecar": {"resources": {"requests": {"cpu": "a lot"}}}}`, `spec.sidecar.resources.requests.cpu: must be a quantity such as "100m" or "128Mi", not "a lot"; see kubectl explain meshconfig.spec.sidecar.resources.requests`},
		{"MeshConfig", `{"sidecar": {"resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gib"}}}}`, `spec.sidecar.resources.limits.memory: must be a quantity such as "100m" or "128Mi", not "1Gib"; see kubectl explain meshconfig.spec.sidecar.resources.limits`},
		{"MeshConfig", `{"sidecar": {"resources": {"limits": {"memory": [1]}}}}`, `spec.sidecar.resources.limits.memory: must be a quantity such as "100m" or "128Mi", not [1]; see kubectl explain meshconfig.spec.sidecar.resources.limits`},
	} {
		for name, serializer := range map[string]runtime.Serializer{"as kubectl sends it": json.StrictSerializer, "without strict validation": json.Serializer, "as YAML": yaml.StrictSerializer} {
			decoder := serializers.DecoderToVersion(serializer, group)
			_, _, err := decoder.Decode([]byte(`{"apiVersion": "`+mesh.GroupName+`/v1alpha1", "kind": "`+c.kind+`", "metadata": {"name": "x"}, "spec": `+c.spec+`}`), nil, nil)
			if err == nil || err.Error() != c.want {
				t.Errorf("%s %s, %s:\n got %v\nwant %s", c.kind, c.spec, name, err, c.want)
			}
		}
	}
}

// What is not about the type of a value stays as the library says it.
func TestOtherErrorsOfDecodingStay(t *testing.T) {
	serializers := explainingSerializer{scheme.Codecs, scheme.Scheme}
	json, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	for data, want := range map[string]string{
		`{"apiVersion": "` + mesh.GroupName + `/v1alpha1", "kind": "MeshPolicy", "spec": {"priority": 1}}`: `unknown field "spec.priority"`,
		`{"apiVersion": "` + mesh.GroupName + `/v1alpha1", "kind": "MeshPolicy", "spec": {`:                "unexpected end of JSON input",
		`{"apiVersion": "` + mesh.GroupName + `/v9", "kind": "MeshPolicy"}`:                                "no kind \"MeshPolicy\" is registered",
	} {
		_, _, err := serializers.DecoderToVersion(json.StrictSerializer, runtime.InternalGroupVersioner).Decode([]byte(data), nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", data, err, want)
		}
	}
}
