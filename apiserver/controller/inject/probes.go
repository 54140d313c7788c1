// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// ProbeRoute says where a probe went before the mesh turned it to the proxy's
// port 15020, path /probe/<container>/<kind>.
type ProbeRoute struct {
	Container string
	// Kind is liveness, readiness or startup.
	Kind string
	// Scheme is http, https, h2c (HTTP/2 in plaintext), grpc or tcp. As by the
	// kubelet, the certificate of https is not verified.
	Scheme string
	Port   int32
	// Path starts with a slash and may have a query. For grpc it is a slash and
	// the name of the service, which may be empty; for tcp a slash.
	Path string
	// Period and Timeout are those of a grpc or tcp probe, in seconds; the proxy
	// asks in the kubelet's place. Both are 0 for http, https and h2c.
	Period, Timeout int32
}

// The schemes of a ProbeRoute.
const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
	schemeH2C   = "h2c"
	schemeGRPC  = "grpc"
	schemeTCP   = "tcp"
)

const probeArgument = "--probe="

// ProbePath is where the kubelet asks for it: /probe/<container>/<kind>, on
// model.PortProbes.
func (r ProbeRoute) ProbePath() string { return "/probe/" + r.key() }

func (r ProbeRoute) key() string { return r.Container + "/" + r.Kind }

// String is the value of init's flag --probe:
// "<container>/<kind>=<http|https|h2c>:<port>:<path>", or
// "<container>/<kind>=<grpc|tcp>,<period>,<timeout>:<port>:<path>".
func (r ProbeRoute) String() string {
	scheme := r.Scheme
	if r.checked() {
		scheme = fmt.Sprintf("%s,%d,%d", scheme, r.Period, r.Timeout)
	}
	return fmt.Sprintf("%s=%s:%d:%s", r.key(), scheme, r.Port, r.Path)
}

// checked tells whether the proxy asks the app itself, and answers by that.
func (r ProbeRoute) checked() bool { return r.Scheme == schemeGRPC || r.Scheme == schemeTCP }

// argument is the flag with its dollars doubled, which the kubelet undoes when
// it expands $(VARIABLES).
func (r ProbeRoute) argument() string {
	return probeArgument + strings.ReplaceAll(r.String(), "$", "$$")
}

// ParseProbeRoute reads what String wrote.
func ParseProbeRoute(s string) (ProbeRoute, error) {
	bad := fmt.Errorf("probe %q: want <container>/<liveness|readiness|startup>=<http|https|h2c>:<port>:<path>, or <grpc|tcp>,<period>,<timeout> for the scheme", s)
	key, target, ok := strings.Cut(s, "=")
	container, kind, ok2 := strings.Cut(key, "/")
	parts := strings.SplitN(target, ":", 3)
	if !ok || !ok2 || container == "" || len(parts) != 3 {
		return ProbeRoute{}, bad
	}
	port, err := strconv.ParseUint(parts[1], 10, 16)
	if err != nil || port == 0 || !slices.Contains(probeKinds, kind) || !strings.HasPrefix(parts[2], "/") {
		return ProbeRoute{}, bad
	}
	route := ProbeRoute{Container: container, Kind: kind, Port: int32(port), Path: parts[2]}
	if !route.parseScheme(parts[0]) {
		return ProbeRoute{}, bad
	}
	return route, nil
}

func (r *ProbeRoute) parseScheme(s string) bool {
	words := strings.Split(s, ",")
	r.Scheme = words[0]
	switch {
	case r.Scheme == schemeHTTP || r.Scheme == schemeHTTPS || r.Scheme == schemeH2C:
		return len(words) == 1
	case !r.checked() || len(words) != 3:
		return false
	}
	period, err := strconv.ParseInt(words[1], 10, 32)
	timeout, err2 := strconv.ParseInt(words[2], 10, 32)
	r.Period, r.Timeout = int32(period), int32(timeout)
	return err == nil && err2 == nil && period > 0 && timeout > 0
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
	route := ProbeRoute{Container: c.Name, Kind: kind}
	target := route.ProbePath()
	if get.Port == intstr.FromInt32(model.PortProbes) {
		if get.Path != target {
			return fmt.Errorf("%s.httpGet.port: %d belongs to the mesh: name the app's own port", field, model.PortProbes)
		}
		route, ok := known[route.key()]
		if !ok {
			return fmt.Errorf("%s.httpGet leads to the mesh's proxy, and no container %s of the pod says where it led before: write the app's own port and path", field, model.InitContainer)
		}
		if route.checked() {
			route.Period, route.Timeout = cmp.Or(probe.PeriodSeconds, defaultPeriod), cmp.Or(probe.TimeoutSeconds, defaultTimeout)
		}
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
	route.Scheme, route.Port, route.Path = scheme, port, requestPath(get.Path)
	r.routes = append(r.routes, route)
	r.operations = append(r.operations, Operation{Op: "replace", Path: path + "/httpGet", Value: corev1.HTTPGetAction{
		Path: target, Port: intstr.FromInt32(model.PortProbes), Scheme: corev1.URISchemeHTTP,
		HTTPHeaders: get.HTTPHeaders,
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

// The kubelet's defaults for a probe, in seconds (core/v1 Probe).
const (
	defaultPeriod  = 10
	defaultTimeout = 1
)

// check turns a gRPC or TCP probe to httpGet, which the proxy answers from its
// own checks of the app.
func (r *rewritten) check(path, action string, c member, kind string, probe *corev1.Probe) error {
	if probe.PeriodSeconds < 0 || probe.TimeoutSeconds < 0 {
		return fmt.Errorf("%s: %sProbe: periodSeconds and timeoutSeconds are seconds, at least 1, or left out", c.title, kind)
	}
	field := fmt.Sprintf("%s: %sProbe.%s", c.title, kind, action)
	route := ProbeRoute{
		Container: c.Name, Kind: kind, Scheme: schemeTCP, Path: "/",
		Period: cmp.Or(probe.PeriodSeconds, defaultPeriod), Timeout: cmp.Or(probe.TimeoutSeconds, defaultTimeout),
	}
	if probe.GRPC != nil {
		route.Scheme, route.Port = schemeGRPC, probe.GRPC.Port
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
			Path: route.ProbePath(), Port: intstr.FromInt32(model.PortProbes), Scheme: corev1.URISchemeHTTP,
		}})
	return nil
}

// knownRoutes are those that the pod's mesh-init has, from an earlier call or from the
// backup of a pod. They say no more than the author of the pod could have said by the
// probes themselves; what says more is left out.
func knownRoutes(spec *corev1.PodSpec) map[string]ProbeRoute {
	known := map[string]ProbeRoute{}
	container := initContainerNamed(spec, model.InitContainer)
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
		return r.Path == "/"
	case r.Scheme == schemeGRPC:
		return true
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
