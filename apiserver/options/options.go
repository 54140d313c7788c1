// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package options turns flags into the configuration of the server.
package options

import (
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	cliflag "k8s.io/component-base/cli/flag"
	basecompatibility "k8s.io/component-base/compatibility"

	"github.com/openservicemesh/mesh-apiserver/apiserver/etcd"
	"github.com/openservicemesh/mesh-apiserver/apiserver/server/admission"
)

const (
	// storagePrefix is where all objects are in etcd.
	storagePrefix = "/registry/mesh.openservicemesh.io"
	// securePort is the container port of the API; the Service maps 443 to it.
	securePort = 8443
	// shutdownDelay is how long /readyz fails before requests are refused:
	// longer than the readiness probe (2 s) and the EndpointSlice that follows it take.
	shutdownDelay = 5 * time.Second
	// openCheck is a check whose reason every caller may read, as /readyz is: it has the
	// command that an operator is to run, who comes by kube-apiserver's proxy of pods.
	openCheck = "/readyz/mesh-database"
	// watchGrace is how long watches have to end at shutdown.
	watchGrace = 2 * time.Second
)

// Options are the flags of the server.
type Options struct {
	// Mesh is what an ordinary API server does not have.
	Mesh *MeshOptions
	// Server and Recommended are the options of k8s.io/apiserver.
	Server      *genericoptions.ServerRunOptions
	Recommended *genericoptions.RecommendedOptions

	registry basecompatibility.ComponentGlobalsRegistry
}

// NewOptions gives the defaults. The registry remembers effective versions and
// feature gates; tests bring one of their own.
func NewOptions(registry basecompatibility.ComponentGlobalsRegistry) (*Options, error) {
	if err := registerComponent(registry); err != nil {
		return nil, err
	}
	o := &Options{
		Mesh:        newMeshOptions(),
		Server:      genericoptions.NewServerRunOptionsForComponent(ComponentName, registry),
		Recommended: genericoptions.NewRecommendedOptions(storagePrefix, nil),
		registry:    registry,
	}
	o.Server.ShutdownDelayDuration = shutdownDelay
	// Without it the HTTP server waits a minute for watches, which do not end by
	// themselves; with it 2 s, once all other requests have been answered.
	o.Server.ShutdownSendRetryAfter = true
	// Watches are ended, two hundred a second at least, before it would give up.
	o.Server.ShutdownWatchTerminationGracePeriod = watchGrace
	o.Recommended.FeatureGate = registry.FeatureGateFor(basecompatibility.DefaultKubeComponent)
	o.Recommended.SecureServing.BindPort = securePort
	o.Recommended.Etcd.DefaultStorageMediaType = runtime.ContentTypeProtobuf
	o.Recommended.Admission = admission.NewOptions()
	o.Recommended.Authorization.AlwaysAllowPaths = append(o.Recommended.Authorization.AlwaysAllowPaths, openCheck)
	return o, nil
}

// Flags gives all flags by topic.
func (o *Options) Flags() cliflag.NamedFlagSets {
	var sets cliflag.NamedFlagSets
	o.Mesh.addFlags(sets.FlagSet("mesh"))
	o.Recommended.CoreAPI.AddFlags(sets.FlagSet("mesh"))
	o.Recommended.Etcd.AddFlags(sets.FlagSet("storage"))
	o.addServingFlags(sets.FlagSet("serving"))
	o.Server.AddUniversalFlags(sets.FlagSet("generic"))
	o.Recommended.Authentication.AddFlags(sets.FlagSet("authentication"))
	o.Recommended.Authorization.AddFlags(sets.FlagSet("authorization"))
	o.Recommended.Admission.AddFlags(sets.FlagSet("admission"))
	o.Recommended.Audit.AddFlags(sets.FlagSet("auditing"))
	o.Recommended.Traces.AddFlags(sets.FlagSet("tracing"))
	o.Recommended.Features.AddFlags(sets.FlagSet("features"))
	o.Recommended.EgressSelector.AddFlags(sets.FlagSet("egress"))
	sets.FlagSet("storage").Lookup("etcd-servers").Usage = "An external etcd, as scheme://ip:port, comma separated. " +
		"If empty, the server runs etcd itself, in --data-dir, and is the only replica."
	sets.FlagSet("mesh").Lookup("kubeconfig").Usage = "How to reach the host cluster from outside of it, for development. " +
		"--authentication-kubeconfig and --authorization-kubeconfig default to it. If empty, the pod's service account is used."
	return sets
}

// Complete fills in what depends on other flags or the environment.
func (o *Options) Complete() error {
	if err := o.registry.Set(); err != nil {
		return fmt.Errorf("set feature gates and effective version: %w", err)
	}
	if kubeconfig := o.Recommended.CoreAPI.CoreAPIKubeconfigPath; kubeconfig != "" {
		defaultTo(&o.Recommended.Authentication.RemoteKubeConfigFile, kubeconfig)
		defaultTo(&o.Recommended.Authorization.RemoteKubeConfigFile, kubeconfig)
	}
	servers := &o.Recommended.Etcd.StorageConfig.Transport.ServerList
	if o.Mesh.EmbeddedEtcd = len(*servers) == 0; o.Mesh.EmbeddedEtcd {
		endpoint, err := etcd.Endpoint(o.Mesh.DataDir)
		if err != nil {
			return err
		}
		*servers = []string{endpoint}
	}
	return nil
}

func defaultTo(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// Validate tells all that is wrong with the flags, a line each.
func (o *Options) Validate() error {
	errs := o.Mesh.validate(o.Recommended.SecureServing.BindPort)
	errs = append(errs, o.Server.Validate()...)
	errs = append(errs, o.Recommended.Validate()...)
	if o.Recommended.CoreAPI.CoreAPIKubeconfigPath == "" && os.Getenv("KUBERNETES_SERVICE_HOST") == "" {
		errs = append(errs, errors.New("--kubeconfig is needed outside a cluster: KUBERNETES_SERVICE_HOST is not set"))
	}
	errs = append(errs, o.validateFiles()...)
	return utilerrors.NewAggregate(errs)
}
