// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/sets"
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
