// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// ReasonOutsideRefused is the reason of notices about callers outside the mesh that a
// port refuses since it takes mutual TLS alone.
const ReasonOutsideRefused = "OutsideCallersRefused"

// A notice says at most so many bytes of ports, callers of one, and bytes of a name,
// so that what lets them in has room in an Event, which holds 1024 bytes.
const (
	maxNoticeBytes   = 480
	maxNoticeCallers = 3
	maxNoticeName    = 100
)

// refusals are the callers outside the mesh that container ports refuse.
type refusals struct {
	callers map[uint16]map[string]struct{}
	// own is set if the pods' own annotations keep a port Strict.
	own bool
	// namespace is that of the pods, and mayLoosen tells whether their annotations
	// may be looser than it.
	namespace string
	mayLoosen bool
}

func newRefusals(w world.Reader, namespace string) refusals {
	return refusals{callers: map[uint16]map[string]struct{}{}, namespace: namespace, mayLoosen: w.Settings().PodsMayLoosenMTLS()}
}

func (r *refusals) add(port uint16, caller string, own bool) {
	if r.callers[port] == nil {
		r.callers[port] = map[string]struct{}{}
	}
	r.callers[port][caller] = struct{}{}
	r.own = r.own || own
}

// outsideNotices says which callers outside the mesh something leads to a Service,
// and Strict ports of its pods refuse.
func outsideNotices(w world.Reader, service *corev1.Service) []Notice {
	found := newRefusals(w, service.Namespace)
	key := world.Key{Namespace: service.Namespace, Name: service.Name}
	registrations, scrape := w.Registrations(key), w.ScrapeOfService(key)
	ports := tcpPorts(service)
	if len(registrations) == 0 && !scrape.Asked && clients(service) == "" {
		return nil
	}
	for _, view := range w.ViewsSelected(key) {
		mtls := newSetting(w, axisMTLS, view)
		refused := func(number uint16) bool { return mtls.refuses(number) && w.Reaches(view.Name, number) }
		for _, port := range ports {
			number, ok := targetPort(view, port)
			if !ok || !refused(number) {
				continue
			}
			if who := clients(service); who != "" {
				found.add(number, who, mtls.kept(number))
			}
			for _, r := range registrations {
				if r.Port == port.Port {
					found.add(number, "kube-apiserver ("+r.Kind+" "+r.Name[:min(len(r.Name), maxNoticeName)]+")", mtls.kept(number))
				}
			}
		}
		if number := scrapedPort(scrape, view, ports); scrape.Asked && number > 0 && refused(number) {
			found.add(number, scraper, mtls.kept(number))
		}
	}
	return found.notices()
}

// scraper is who reads prometheus.io/scrape; one in the mesh is not refused.
const scraper = "a Prometheus outside the mesh"

// clients says who calls a Service of this type from outside the cluster, "" if none do.
func clients(service *corev1.Service) string {
	switch service.Spec.Type {
	case corev1.ServiceTypeLoadBalancer:
		return "clients of its load balancer"
	case corev1.ServiceTypeNodePort:
		return "clients of its node port"
	default:
		return ""
	}
}

// scrapedPort is the pods' port that a Service asks Prometheus to come to: the one
// that it names, else the target of its only port; 0 if that is none.
func scrapedPort(scrape world.Scrape, view *world.View, ports []*corev1.ServicePort) uint16 {
	if scrape.Port > 0 || len(ports) != 1 {
		return scrape.Port
	}
	number, _ := targetPort(view, ports[0])
	return number
}

// ScrapeNotice says that a Prometheus outside the mesh, which pods of a view ask to
// come, is refused; pod is the first of them. False if there is nothing to say.
func ScrapeNotice(w world.Reader, name string) (pod *world.Pod, notice Notice, refused bool) {
	view := w.View(name)
	if view == nil || !w.AsksToBeScraped(name) {
		return nil, Notice{}, false
	}
	mtls := newSetting(w, axisMTLS, view)
	found := newRefusals(w, view.Namespace)
	for _, p := range w.PodsIn(name) {
		number := p.Scrape.Port
		if number == 0 && len(view.Ports) == 1 {
			number = view.Ports[0].Number
		}
		if !p.Scrape.Asked || number == 0 || !mtls.refuses(number) || slices.Contains(p.Excluded, number) {
			continue
		}
		found.add(number, scraper, mtls.kept(number))
		if pod == nil {
			pod = p
		}
	}
	if pod == nil {
		return nil, Notice{}, false
	}
	return pod, found.notices()[0], true
}

// refuses tells whether a port refuses callers in plaintext without an annotation
// that says so of exactly this port: who wrote one has decided.
func (s setting) refuses(port uint16) bool {
	if loose, _ := s.at(port); loose || slices.Contains(sidecar.ProxyPorts, port) {
		return false
	}
	own, _ := s.axis.readPorts(s.pod[s.axis.ports])
	for _, ports := range []map[uint16]bool{own, s.namespacePorts} {
		if loose, named := ports[port]; named && !loose {
			return false
		}
	}
	return true
}

// kept tells whether the pods' own annotations keep a port strict whatever their
// Namespace says of it.
func (s setting) kept(port uint16) bool {
	s.namespacePorts = map[uint16]bool{port: true}
	loose, _ := s.at(port)
	return !loose
}

func (r refusals) notices() []Notice {
	if len(r.callers) == 0 {
		return nil
	}
	var said, settings []string
	size, left := 0, len(r.callers)
	for _, port := range slices.Sorted(maps.Keys(r.callers)) {
		one := fmt.Sprintf("container port %d refuses %s", port, list(r.callers[port]))
		if size += len(one); size > maxNoticeBytes && len(said) > 0 {
			said = append(said, fmt.Sprintf("and so do %d more ports", left))
			break
		}
		said = append(said, one)
		settings = append(settings, fmt.Sprintf("%d=%s", port, axisMTLS.loose))
		left--
	}
	return []Notice{{ReasonOutsideRefused, fmt.Sprintf("%s, since mutual TLS alone is taken there: let them in by the annotation %s: \"%s\" %s, or write %s there if that is meant",
		strings.Join(said, "; "), axisMTLS.ports, strings.Join(settings, ","), r.where(), axisMTLS.strict)}}
}

// where says which objects' annotation lets the callers in.
func (r refusals) where() string {
	namespace, strict := "of the Namespace "+r.namespace, ", whose own annotations say "+axisMTLS.strict
	switch {
	case r.own && r.mayLoosen:
		return "of the pods" + strict
	case r.own:
		return namespace + " and of the pods" + strict
	case r.mayLoosen:
		return namespace + " or of the pods"
	default:
		return namespace
	}
}

// list writes callers by name, some of them if they are many.
func list(callers map[string]struct{}) string {
	names := slices.Sorted(maps.Keys(callers))
	if left := len(names) - maxNoticeCallers; left > 0 {
		names = append(names[:maxNoticeCallers], fmt.Sprintf("%d more", left))
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
