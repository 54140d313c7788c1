// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	genericoptions "k8s.io/apiserver/pkg/server/options"
)

// selfManaged are flags that would bring a serving certificate from outside.
// There are none: the server makes and renews its own, and writes the bundle
// that trusts it into the APIService.
var selfManaged = sets.New("cert-dir", "tls-cert-file", "tls-private-key-file", "tls-sni-cert-key")

func (o *Options) addServingFlags(fs *pflag.FlagSet) {
	all := pflag.NewFlagSet("serving", pflag.ContinueOnError)
	o.Recommended.SecureServing.AddFlags(all)
	all.VisitAll(func(flag *pflag.Flag) {
		if !selfManaged.Has(flag.Name) {
			fs.AddFlag(flag)
		}
	})
}

// newAdmissionOptions offers the one plugin that needs nothing but Namespaces.
// kube-apiserver's own admission does not see what is written here.
func newAdmissionOptions() *genericoptions.AdmissionOptions {
	o := genericoptions.NewAdmissionOptions()
	o.Plugins = admission.NewPlugins()
	lifecycle.Register(o.Plugins)
	o.RecommendedPluginOrder = []string{lifecycle.PluginName}
	return o
}
