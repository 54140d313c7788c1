// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
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

// bootstrapArgument is the bootstrap as an argument of the proxy. It is there
// before the proxy starts, so the proxy need not wait for another container.
func bootstrapArgument(settings Settings, routes []ProbeRoute) (string, error) {
	if size := len(routes) * leastOfProbe; size > maxBootstrap {
		return "", errTooManyProbes(size)
	}
	params := envoy.BootstrapParams{
		XDSHost:       controlPlaneHost(settings),
		XDSPort:       model.PortXDS,
		XDSServerName: model.ControlPlaneName(settings.SystemNamespace),
		MemoryBytes:   someMemory,
	}
	for _, r := range routes {
		params.Probes = append(params.Probes, r.asked())
	}
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
		{model.IdentitySDSAnnotation, files.Identity},
		{model.ControlPlaneRootsSDSAnnotation, files.ControlPlaneRoots},
		{model.RefusalBudgetAnnotation, files.RefusalBudget},
	} {
		if pod.Annotations[f.annotation] != f.content {
			// A slash within a JSON pointer (RFC 6901).
			path := "/metadata/annotations/" + strings.ReplaceAll(f.annotation, "/", "~1")
			operations = append(operations, Operation{Op: "add", Path: path, Value: f.content})
		}
	}
	return operations, nil
}
