// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/lru"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// maxBootstrap bounds the bootstrap, in bytes: Linux takes no argument of 128 KiB
// (MAX_ARG_STRLEN), and the kubelet fills in a few.
const maxBootstrap = 120 << 10

// leastOfProbe is less than any probe takes of the bootstrap, in bytes. By it far too
// many are refused before the bootstrap is made of them.
const leastOfProbe = 256

// someMemory stands in the bootstrap, where a number has to be, for what the kubelet
// fills in.
const someMemory = 1

// maxBootstraps is how many bootstraps a handler keeps: at most 12 MiB.
const maxBootstraps = 100

// bootstraps keeps the arguments made last. The replicas of a workload have the same
// probes, so they have the same bootstrap, and making one takes most of a review.
type bootstraps struct{ byParams *lru.Cache }

func newBootstraps() *bootstraps { return &bootstraps{byParams: lru.New(maxBootstraps)} }

// argument gives what is kept, or makes it. On no bootstraps it always makes it.
func (b *bootstraps) argument(params envoy.BootstrapParams) (string, error) {
	if b == nil {
		return bootstrapArgument(params)
	}
	key := fmt.Sprintf("%#v", params)
	if made, ok := b.byParams.Get(key); ok {
		return made.(string), nil
	}
	made, err := bootstrapArgument(params)
	if err == nil {
		b.byParams.Add(key, made)
	}
	return made, err
}

// bootstrapOf gives the bootstrap of a pod with these probes as an argument of its
// proxy. It is there before the proxy starts, so the proxy need not wait for another
// container.
func bootstrapOf(settings Settings, routes []ProbeRoute) (string, error) {
	if size := len(routes) * leastOfProbe; size > maxBootstrap {
		return "", errTooManyProbes(size)
	}
	params := envoy.BootstrapParams{
		XDSHost:       controlPlaneHost(settings),
		XDSPort:       sidecar.PortXDS,
		XDSServerName: sidecar.ControlPlaneName(settings.SystemNamespace),
		MemoryBytes:   someMemory,
	}
	for _, r := range routes {
		params.Probes = append(params.Probes, r.asked())
	}
	return settings.bootstraps.argument(params)
}

func bootstrapArgument(params envoy.BootstrapParams) (string, error) {
	config, err := envoy.Bootstrap(params)
	if err != nil {
		return "", err
	}
	config = filledIn(config)
	if len(config) > maxBootstrap {
		return "", errTooManyProbes(len(config))
	}
	return config, nil
}

func errTooManyProbes(size int) error {
	return fmt.Errorf("the pod's probes make a proxy's configuration of %d bytes or more, and %d is the most: shorten their paths and headers, or have fewer", size, maxBootstrap)
}

// asked is how the proxy asks in the kubelet's place.
func (r ProbeRoute) asked() envoy.ProbeRoute {
	probe := envoy.ProbeRoute{
		Path: r.ProbePath(), Port: uint16(r.Port), OriginalPath: r.Path,
		Scheme: envoy.ProbeScheme(strings.ToUpper(r.Scheme)), Timeout: time.Duration(r.Timeout) * time.Second,
	}
	for _, h := range r.Headers {
		probe.Headers = append(probe.Headers, envoy.ProbeHeader{Name: h.Name, Value: h.Value})
	}
	return probe
}

// filledIn doubles each dollar, which the kubelet undoes, but those of what it is
// to fill in. Within a string of JSON quotes have a backslash before them, so no
// probe can say what is replaced here.
func filledIn(config string) string {
	return strings.NewReplacer(
		fmt.Sprintf(`"max_heap_size_bytes":"%d"`, someMemory), `"max_heap_size_bytes":"$(PROXY_MEMORY)"`,
		"$", "$$",
	).Replace(config)
}

// addFiles writes the annotations that the volume mesh-files shows to the proxy,
// whatever the pod says there.
func addFiles(pod *corev1.Pod) ([]Operation, error) {
	files, err := envoy.BootstrapFiles()
	if err != nil {
		return nil, err
	}
	var operations []Operation
	if pod.Annotations == nil {
		operations = append(operations, Operation{Op: "add", Path: "/metadata/annotations", Value: map[string]string{}})
	}
	for _, f := range []struct{ annotation, content string }{
		{metadata.IdentitySDSAnnotation, files.Identity},
		{metadata.ControlPlaneRootsSDSAnnotation, files.ControlPlaneRoots},
		{metadata.RefusalBudgetAnnotation, files.RefusalBudget},
	} {
		if pod.Annotations[f.annotation] != f.content {
			// A slash within a JSON pointer (RFC 6901).
			path := "/metadata/annotations/" + strings.ReplaceAll(f.annotation, "/", "~1")
			operations = append(operations, Operation{Op: "add", Path: path, Value: f.content})
		}
	}
	return operations, nil
}
