// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission decides about writes of mesh resources. kube-apiserver's own
// admission never sees what it hands to an aggregated server, so the plugins that
// a cluster expects run here, each where the host lets this server read what it
// goes by.
package admission

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	mutatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	validatingpolicy "k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/resourcequota"
	mutatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	validatingwebhook "k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	genericoptions "k8s.io/apiserver/pkg/server/options"
)

// need is a right to something of the host that a plugin cannot do without: its
// informers would never have their first list, and every write would be refused.
type need struct {
	schema.GroupVersionResource
	subresource string
	verbs       []string
}

func (n need) String() string {
	name := n.GroupVersion().String() + " " + n.Resource
	if n.subresource != "" {
		name += "/" + n.subresource
	}
	return name
}

// plugin is an admission plugin and all that it needs of the host.
type plugin struct {
	name     string
	register func(*admission.Plugins)
	needs    []need
}

// plugins are in the order of kube-apiserver, quota last: what another plugin
// refuses is not charged.
var plugins = []plugin{
	// Its Namespaces are what the whole server needs.
	{lifecycle.PluginName, lifecycle.Register, nil},
	{mutatingpolicy.PluginName, mutatingpolicy.Register, admissionObjects("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")},
	{mutatingwebhook.PluginName, mutatingwebhook.Register, admissionObjects("mutatingwebhookconfigurations")},
	{validatingpolicy.PluginName, validatingpolicy.Register, admissionObjects("validatingadmissionpolicies", "validatingadmissionpolicybindings")},
	{validatingwebhook.PluginName, validatingwebhook.Register, admissionObjects("validatingwebhookconfigurations")},
	{resourcequota.PluginName, resourcequota.Register, []need{
		{schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}, "", read},
		{schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}, "status", []string{"update"}},
	}},
}

var read = []string{"list", "watch"}

func admissionObjects(resources ...string) []need {
	var needs []need
	for _, resource := range resources {
		needs = append(needs, need{schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: resource}, "", read})
	}
	return needs
}

// NewOptions offers every plugin. Apply switches those off that the host does
// not allow.
func NewOptions() *genericoptions.AdmissionOptions {
	o := genericoptions.NewAdmissionOptions()
	o.Plugins = admission.NewPlugins()
	o.RecommendedPluginOrder = nil
	for _, p := range plugins {
		p.register(o.Plugins)
		o.RecommendedPluginOrder = append(o.RecommendedPluginOrder, p.name)
	}
	return o
}
