// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// ProbeRoute says where a probe went before the mesh turned it to the proxy's
// port 15020, path /probe/<container>/<kind>.
type ProbeRoute struct {
	Container string
	// Kind is liveness, readiness or startup.
	Kind string
	// HTTPS is true if the app expects TLS; as by the kubelet, its certificate
	// is not verified.
	HTTPS bool
	Port  int32
	// Path starts with a slash and may have a query.
	Path string
}

const probeArgument = "--probe="

// ProbePath is where the kubelet asks for it: /probe/<container>/<kind>, on
// model.PortProbes.
func (r ProbeRoute) ProbePath() string { return "/probe/" + r.key() }

func (r ProbeRoute) key() string { return r.Container + "/" + r.Kind }

// String is the value of init's flag --probe:
// "<container>/<kind>=<http|https>:<port>:<path>".
func (r ProbeRoute) String() string {
	scheme := "http"
	if r.HTTPS {
		scheme = "https"
	}
	return fmt.Sprintf("%s=%s:%d:%s", r.key(), scheme, r.Port, r.Path)
}

// argument is the flag with its dollars doubled, which the kubelet undoes when
// it expands $(VARIABLES).
func (r ProbeRoute) argument() string {
	return probeArgument + strings.ReplaceAll(r.String(), "$", "$$")
}

// ParseProbeRoute reads what String wrote.
func ParseProbeRoute(s string) (ProbeRoute, error) {
	bad := fmt.Errorf("probe %q: want <container>/<liveness|readiness|startup>=<http|https>:<port>:<path>", s)
	key, target, ok := strings.Cut(s, "=")
	container, kind, ok2 := strings.Cut(key, "/")
	parts := strings.SplitN(target, ":", 3)
	if !ok || !ok2 || container == "" || len(parts) != 3 {
		return ProbeRoute{}, bad
	}
	port, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil || port == 0 || !slices.Contains(probeKinds, kind) || !strings.HasPrefix(parts[2], "/") ||
		(parts[0] != "http" && parts[0] != "https") {
		return ProbeRoute{}, bad
	}
	return ProbeRoute{Container: container, Kind: kind, HTTPS: parts[0] == "https", Port: int32(port), Path: parts[2]}, nil
}

var probeKinds = []string{"liveness", "readiness", "startup"}

// rewritten are the operations that turn the pod's HTTP probes to the proxy,
// and the routes by which the proxy finds the way back.
type rewritten struct {
	operations []Operation
	routes     []ProbeRoute
	warnings   []string
}

func rewriteProbes(spec *corev1.PodSpec) (rewritten, error) {
	known, err := knownRoutes(spec)
	if err != nil {
		return rewritten{}, err
	}
	var result rewritten
	for _, list := range []struct {
		path       string
		containers []corev1.Container
	}{{"/spec/initContainers", spec.InitContainers}, {"/spec/containers", spec.Containers}} {
		for i := range list.containers {
			c := &list.containers[i]
			if ourContainer(c.Name) {
				continue
			}
			for k, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
				path := fmt.Sprintf("%s/%d/%sProbe/httpGet", list.path, i, probeKinds[k])
				if err := result.rewrite(path, c, probeKinds[k], probe, known); err != nil {
					return rewritten{}, err
				}
			}
		}
	}
	return result, nil
}

// rewrite turns one probe. Exec probes run in the container and stay as they are.
func (r *rewritten) rewrite(path string, c *corev1.Container, kind string, probe *corev1.Probe, known map[string]ProbeRoute) error {
	field := fmt.Sprintf("container %s: %sProbe", c.Name, kind)
	switch {
	case probe == nil:
		return nil
	case probe.GRPC != nil:
		return fmt.Errorf("%s.grpc: the mesh does not carry gRPC probes yet: use httpGet or exec", field)
	case probe.TCPSocket != nil:
		return fmt.Errorf("%s.tcpSocket: the mesh does not carry TCP probes yet, and the proxy would answer in the app's place: use httpGet or exec", field)
	case probe.HTTPGet == nil:
		return nil
	}
	get := probe.HTTPGet
	if get.Protocol != nil && *get.Protocol != corev1.HTTPProtocolHTTP1 {
		return fmt.Errorf("%s.httpGet.protocol: the mesh does not carry %s probes yet: use HTTP1 or exec", field, *get.Protocol)
	}
	if get.Host != "" {
		r.warnings = append(r.warnings, fmt.Sprintf("%s.httpGet.host: the kubelet calls %s itself; the probe is left as it is", field, get.Host))
		return nil
	}
	route := ProbeRoute{Container: c.Name, Kind: kind}
	target := route.ProbePath()
	if get.Port == intstr.FromInt32(model.PortProbes) {
		route, ok := known[route.key()]
		if !ok || get.Path != target {
			return fmt.Errorf("%s.httpGet.port: %d belongs to the mesh: name the app's own port", field, model.PortProbes)
		}
		r.routes = append(r.routes, route)
		return nil
	}
	port, err := containerPort(c, get.Port)
	if err != nil {
		return fmt.Errorf("%s.httpGet.port: %w", field, err)
	}
	if ofProxy(port) {
		return fmt.Errorf("%s.httpGet.port: %d belongs to the mesh: name the app's own port", field, port)
	}
	route.HTTPS, route.Port, route.Path = get.Scheme == corev1.URISchemeHTTPS, port, requestPath(get.Path)
	r.routes = append(r.routes, route)
	r.operations = append(r.operations, Operation{Op: "replace", Path: path, Value: corev1.HTTPGetAction{
		Path: target, Port: intstr.FromInt32(model.PortProbes), Scheme: corev1.URISchemeHTTP,
		HTTPHeaders: get.HTTPHeaders, Protocol: get.Protocol,
	}})
	return nil
}

// knownRoutes are those that an earlier call gave mesh-init. They say no more
// than the author of the pod could have said by the probes themselves.
func knownRoutes(spec *corev1.PodSpec) (map[string]ProbeRoute, error) {
	known := map[string]ProbeRoute{}
	container := initContainerNamed(spec, model.InitContainer)
	if container == nil {
		return known, nil
	}
	for _, arg := range container.Args {
		value, ok := strings.CutPrefix(arg, probeArgument)
		if !ok {
			continue
		}
		route, err := ParseProbeRoute(strings.ReplaceAll(value, "$$", "$"))
		if err != nil {
			return nil, fmt.Errorf("container %s: %w", model.InitContainer, err)
		}
		if ofProxy(route.Port) {
			return nil, fmt.Errorf("container %s: probe %s leads to port %d, which belongs to the mesh", model.InitContainer, route.key(), route.Port)
		}
		known[route.key()] = route
	}
	return known, nil
}

// containerPort resolves a port as the kubelet does (probe.ResolveContainerPort).
func containerPort(c *corev1.Container, port intstr.IntOrString) (int32, error) {
	if port.Type == intstr.Int {
		return port.IntVal, nil
	}
	for _, declared := range c.Ports {
		if declared.Name == port.StrVal {
			return declared.ContainerPort, nil
		}
	}
	return 0, fmt.Errorf("%q is not the name of a port of container %s", port.StrVal, c.Name)
}

// requestPath is the path and query that the kubelet would send (probe/http.formatURL).
func requestPath(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: path}
	}
	u.Scheme, u.Opaque = "http", ""
	return "/" + strings.TrimPrefix(u.RequestURI(), "/")
}
