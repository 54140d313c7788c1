// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// ProbeRoute says what a probe was before the mesh turned it to the proxy's
// port 15020, path /probe/<container>/<kind>.
type ProbeRoute struct {
	Container string `json:"container"`
	// Kind is liveness, readiness or startup.
	Kind string `json:"kind"`
	// Scheme is http, https, h2c (HTTP/2 in plaintext), grpc, grpcs or tcp. As by
	// the kubelet, the certificate of https and grpcs is not verified.
	Scheme string `json:"scheme"`
	Port   int32  `json:"port"`
	// Path starts with a slash and may have a query. For grpc and grpcs it is a
	// slash and the name of the service, which may be empty; for tcp a slash.
	Path string `json:"path"`
	// Headers are those of an httpGet probe.
	Headers []corev1.HTTPHeader `json:"headers,omitempty"`
	// Timeout is the probe's, in seconds.
	Timeout int32 `json:"timeout"`
}

// The schemes of a ProbeRoute.
const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
	schemeH2C   = "h2c"
	schemeGRPC  = "grpc"
	schemeGRPCS = "grpcs"
	schemeTCP   = "tcp"
)

var probeSchemes = []string{schemeHTTP, schemeHTTPS, schemeH2C, schemeGRPC, schemeGRPCS, schemeTCP}

const probeArgument = "--probe="

// ProbePath is where the kubelet asks for it: /probe/<container>/<kind>, on
// sidecar.PortProbes.
func (r ProbeRoute) ProbePath() string { return "/probe/" + r.key() }

func (r ProbeRoute) key() string { return r.Container + "/" + r.Kind }

// String is the value of init's flag --probe, a JSON object.
func (r ProbeRoute) String() string {
	// Strings and numbers alone: it cannot fail.
	text, _ := json.Marshal(r)
	return string(text)
}

// argument is the flag with its dollars doubled, which the kubelet undoes when
// it expands $(VARIABLES).
func (r ProbeRoute) argument() string {
	return probeArgument + strings.ReplaceAll(r.String(), "$", "$$")
}

// ParseProbeRoute reads what String wrote.
func ParseProbeRoute(s string) (ProbeRoute, error) {
	var r ProbeRoute
	if err := json.Unmarshal([]byte(s), &r); err != nil {
		return ProbeRoute{}, fmt.Errorf("probe %q: want a JSON object with container, kind, scheme, port, path, headers and timeout: %w", s, err)
	}
	switch {
	case r.Container == "" || !slices.Contains(probeKinds, r.Kind):
		return ProbeRoute{}, fmt.Errorf("probe %q: want a container, and a kind out of %s", s, strings.Join(probeKinds, ", "))
	case !slices.Contains(probeSchemes, r.Scheme) || r.Port < 1 || r.Port > 65535 || !strings.HasPrefix(r.Path, "/") || r.Timeout < 1:
		return ProbeRoute{}, fmt.Errorf("probe %q: want a scheme out of %s, a port, a path from a slash on and a timeout in seconds", s, strings.Join(probeSchemes, ", "))
	}
	return r, checkHeaders(r.Headers)
}

var probeKinds = []string{"liveness", "readiness", "startup"}

// rewritten are the operations that turn the pod's probes to the proxy,
// and the routes by which the proxy finds the way back.
type rewritten struct {
	operations []Operation
	routes     []ProbeRoute
	warnings   []string
	errs       []error
}

func rewriteProbes(spec *corev1.PodSpec) rewritten {
	var result rewritten
	known := knownRoutes(spec)
	for _, list := range []struct {
		path       string
		containers []corev1.Container
		title      func(*corev1.Container) string
	}{{"/spec/initContainers", spec.InitContainers, titleOfInit}, {"/spec/containers", spec.Containers, title}} {
		for i := range list.containers {
			c := &list.containers[i]
			if ourContainer(c.Name) {
				continue
			}
			for k, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
				path := fmt.Sprintf("%s/%d/%sProbe", list.path, i, probeKinds[k])
				if err := result.rewrite(path, member{Container: c, title: list.title(c)}, probeKinds[k], probe, known); err != nil {
					result.errs = append(result.errs, err)
				}
			}
		}
	}
	return result
}

// rewrite turns one probe. Exec probes run in the container and stay as they are.
func (r *rewritten) rewrite(path string, c member, kind string, probe *corev1.Probe, known map[string]ProbeRoute) error {
	field := fmt.Sprintf("%s: %sProbe", c.title, kind)
	switch {
	case probe == nil:
		return nil
	case handlers(probe) > 1:
		return fmt.Errorf("%s has more than one of exec, httpGet, tcpSocket and grpc: keep one", field)
	case probe.PeriodSeconds < 0 || probe.TimeoutSeconds < 0:
		return fmt.Errorf("%s: periodSeconds and timeoutSeconds are seconds, at least 1, or left out", field)
	case probe.GRPC != nil:
		return r.check(path, "grpc", c, kind, probe)
	case probe.TCPSocket != nil:
		return r.check(path, "tcpSocket", c, kind, probe)
	case probe.HTTPGet == nil:
		return nil
	}
	get := probe.HTTPGet
	scheme, ok := schemeOf(get)
	if !ok {
		return fmt.Errorf("%s.httpGet.protocol: the mesh does not carry %s probes: use HTTP1, HTTP2 or exec", field, *get.Protocol)
	}
	if get.Host != "" {
		r.warnings = append(r.warnings, fmt.Sprintf("%s.httpGet.host: the kubelet calls %s itself; the probe is left as it is", field, get.Host))
		return nil
	}
	route := ProbeRoute{Container: c.Name, Kind: kind, Headers: get.HTTPHeaders, Timeout: timeout(probe)}
	target := route.ProbePath()
	if get.Port == intstr.FromInt32(sidecar.PortProbes) {
		if get.Path != target {
			return fmt.Errorf("%s.httpGet.port: %d belongs to the mesh: name the app's own port", field, sidecar.PortProbes)
		}
		route, ok := known[route.key()]
		if !ok {
			return fmt.Errorf("%s.httpGet leads to the mesh's proxy, and no container %s of the pod says where it led before: write the app's own port and path", field, sidecar.InitContainer)
		}
		route.Timeout = timeout(probe)
		r.routes = append(r.routes, route)
		return nil
	}
	port, err := containerPort(c.Container, get.Port)
	if err != nil {
		return fmt.Errorf("%s.httpGet.port: %w", field, err)
	}
	if err := checkProbePort(port); err != nil {
		return fmt.Errorf("%s.httpGet.port: %w", field, err)
	}
	if err := checkHeaders(get.HTTPHeaders); err != nil {
		return fmt.Errorf("%s.httpGet.httpHeaders: %w", field, err)
	}
	route.Scheme, route.Port, route.Path = scheme, port, requestPath(get.Path)
	r.routes = append(r.routes, route)
	r.operations = append(r.operations, Operation{Op: "replace", Path: path + "/httpGet", Value: corev1.HTTPGetAction{
		Path: target, Port: intstr.FromInt32(sidecar.PortProbes), Scheme: corev1.URISchemeHTTP,
	}})
	return nil
}

// handlers counts what a probe asks. The API server takes one, but sees the probe
// only when the mesh has put its own in its place; so with what else it refuses.
func handlers(probe *corev1.Probe) int {
	count := 0
	for _, set := range []bool{probe.Exec != nil, probe.HTTPGet != nil, probe.TCPSocket != nil, probe.GRPC != nil} {
		if set {
			count++
		}
	}
	return count
}

// schemeOf reads scheme and protocol of an httpGet; false if a newer API server
// has one that is not known here. HTTP2 goes with the scheme HTTP alone
// (core/v1 HTTPProtocol).
func schemeOf(get *corev1.HTTPGetAction) (string, bool) {
	protocol := ptr.Deref(get.Protocol, corev1.HTTPProtocolHTTP1)
	switch {
	case protocol == corev1.HTTPProtocolHTTP2:
		return schemeH2C, true
	case protocol != corev1.HTTPProtocolHTTP1:
		return "", false
	case get.Scheme == corev1.URISchemeHTTPS:
		return schemeHTTPS, true
	default:
		return schemeHTTP, true
	}
}

// defaultTimeout is the kubelet's, in seconds (core/v1 Probe).
const defaultTimeout = 1

func timeout(probe *corev1.Probe) int32 { return cmp.Or(probe.TimeoutSeconds, defaultTimeout) }

// checkHeaders refuses what the API server would, if it saw the headers of a probe,
// and what the kubelet cannot send, so that the probe would fail for ever.
func checkHeaders(headers []corev1.HTTPHeader) error {
	for _, h := range headers {
		if problems := validation.IsHTTPHeaderName(h.Name); len(problems) > 0 {
			return fmt.Errorf("%q is no name of a header: use letters, digits and -", h.Name)
		}
		if strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("the value of %s has a control character, and the kubelet sends no such request: remove it", h.Name)
		}
	}
	return nil
}

// check turns a gRPC or TCP probe to httpGet, at which the proxy asks the app.
func (r *rewritten) check(path, action string, c member, kind string, probe *corev1.Probe) error {
	field := fmt.Sprintf("%s: %sProbe.%s", c.title, kind, action)
	route := ProbeRoute{Container: c.Name, Kind: kind, Scheme: schemeTCP, Path: "/", Timeout: timeout(probe)}
	if probe.GRPC != nil {
		route.Scheme, route.Port = schemeGRPC, probe.GRPC.Port
		if ptr.Deref(probe.GRPC.Mode, corev1.GRPCProbeModePlaintext) == corev1.GRPCProbeModeTLS {
			route.Scheme = schemeGRPCS
		}
		if probe.GRPC.Service != nil {
			route.Path += *probe.GRPC.Service
		}
	} else {
		if host := probe.TCPSocket.Host; host != "" {
			r.warnings = append(r.warnings, fmt.Sprintf("%s.host: the kubelet calls %s itself; the probe is left as it is", field, host))
			return nil
		}
		port, err := containerPort(c.Container, probe.TCPSocket.Port)
		if err != nil {
			return fmt.Errorf("%s.port: %w", field, err)
		}
		route.Port = port
	}
	if err := checkProbePort(route.Port); err != nil {
		return fmt.Errorf("%s.port: %w", field, err)
	}
	r.routes = append(r.routes, route)
	r.operations = append(r.operations,
		Operation{Op: "remove", Path: path + "/" + action},
		Operation{Op: "add", Path: path + "/httpGet", Value: corev1.HTTPGetAction{
			Path: route.ProbePath(), Port: intstr.FromInt32(sidecar.PortProbes), Scheme: corev1.URISchemeHTTP,
		}})
	return nil
}

// knownRoutes are those that the pod's mesh-init has, from an earlier call or from the
// backup of a pod. They say no more than the author of the pod could have said by the
// probes themselves; what says more is left out.
func knownRoutes(spec *corev1.PodSpec) map[string]ProbeRoute {
	known := map[string]ProbeRoute{}
	container := initContainerNamed(spec, sidecar.InitContainer)
	if container == nil {
		return known
	}
	for _, arg := range container.Args {
		value, ok := strings.CutPrefix(arg, probeArgument)
		if !ok {
			continue
		}
		route, err := ParseProbeRoute(strings.ReplaceAll(value, "$$", "$"))
		if err == nil && route.plausible() {
			known[route.key()] = route
		}
	}
	return known
}

// plausible tells whether a probe could have said it.
func (r ProbeRoute) plausible() bool {
	switch {
	case checkProbePort(r.Port) != nil:
		return false
	case r.Scheme == schemeTCP:
		return r.Path == "/" && r.Headers == nil
	case r.Scheme == schemeGRPC || r.Scheme == schemeGRPCS:
		return r.Headers == nil
	}
	return r.Path == requestPath(r.Path)
}

// checkProbePort refuses ports that the app cannot have.
func checkProbePort(port int32) error {
	switch {
	case port < 1 || port > 65535:
		return fmt.Errorf("%d is no port: name one from 1 to 65535", port)
	case ofProxy(port):
		return fmt.Errorf("%d belongs to the mesh: name the app's own port", port)
	}
	return nil
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
