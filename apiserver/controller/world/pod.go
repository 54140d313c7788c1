// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/membership"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Pod is what the mesh reads of a pod. It is never changed once it is made.
type Pod struct {
	Key            Key
	UID            string
	ServiceAccount string
	// Addresses are the pod's own; none for a pod on the host's network, whose
	// addresses are the node's.
	Addresses   []netip.Addr
	HostNetwork bool
	// Meshed is true if the pod carries our sidecar (membership.HasProxy).
	Meshed bool
	// View is the name of the View it belongs to, "" unless it is meshed.
	View string
	// Unknown says which of its labels and annotations do nothing (metadata.UnknownOfPod);
	// nil unless it is meshed.
	Unknown []string
	// Scrape is what its annotations say to Prometheus, and Excluded the ports that
	// go past its proxy; empty unless it is meshed.
	Scrape   Scrape
	Excluded []uint16
	// LeftOut is true if a controller made the pod on the node's network and did not
	// say that it is not to be in the mesh.
	LeftOut bool
	// HostPorts are the ports of the node that lead to the pod's proxy; none unless
	// it is meshed.
	HostPorts []HostPort
	// Maker is told of LeftOut and HostPorts; zero if there is neither.
	Maker Maker
}

// ProxyID names the proxy in a meshed pod.
func (p *Pod) ProxyID() model.ProxyID {
	return model.ProxyID{Namespace: p.Key.Namespace, Pod: p.Key.Name, UID: p.UID}
}

// Account names the pod's service account.
func (p *Pod) Account() Key { return Key{Namespace: p.Key.Namespace, Name: p.ServiceAccount} }

// Has tells whether the address is the pod's own.
func (p *Pod) Has(address netip.Addr) bool {
	for _, a := range p.Addresses {
		if a == address {
			return true
		}
	}
	return false
}

func isSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// live tells whether a pod may still hold its addresses: a pod that has ended
// gives them back, and they may be another's by now.
func live(pod *corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// placed tells whether a pod has come to a node. Before that it has no address
// and no proxy, and costs its owner nothing, while each view, account and set of
// rules that it brings would be kept by the server and sent to proxies.
func placed(pod *corev1.Pod) bool {
	return pod.Spec.NodeName != "" || pod.Status.PodIP != "" || len(pod.Status.PodIPs) > 0
}

func newPod(in *corev1.Pod) (*Pod, *View) {
	pod := &Pod{
		Key:            keyOf(in),
		UID:            string(in.UID),
		ServiceAccount: serviceAccount(in),
		HostNetwork:    in.Spec.HostNetwork,
		Meshed:         membership.HasProxy(in),
		LeftOut:        leftOut(in),
	}
	if pod.Meshed {
		pod.HostPorts = hostPorts(in)
	}
	if pod.LeftOut || len(pod.HostPorts) > 0 {
		pod.Maker = makerOf(in)
	}
	if !pod.HostNetwork {
		pod.Addresses = podAddresses(in)
	}
	if !pod.Meshed {
		return pod, nil
	}
	view := newView(in)
	pod.View = view.Name
	pod.Unknown = metadata.UnknownOfPod(in.Labels, in.Annotations)
	pod.Scrape = ScrapeOf(in)
	pod.Excluded = excludedPorts(in)
	return pod, view
}

// excludedPorts are those that injection has kept away from the proxy.
func excludedPorts(pod *corev1.Pod) []uint16 {
	list, ok := pod.Annotations[metadata.ExcludeInboundPorts]
	if !ok {
		return nil
	}
	var ports []uint16
	for item := range strings.SplitSeq(list, ",") {
		if port, err := strconv.ParseUint(strings.TrimSpace(item), 10, 16); err == nil {
			ports = append(ports, uint16(port))
		}
	}
	return ports
}

// serviceAccount applies the API server's default, which admission may not
// have done for a static pod.
func serviceAccount(pod *corev1.Pod) string {
	if pod.Spec.ServiceAccountName == "" {
		return "default"
	}
	return pod.Spec.ServiceAccountName
}

func podAddresses(pod *corev1.Pod) []netip.Addr {
	var addresses []netip.Addr
	for _, ip := range pod.Status.PodIPs {
		if a, err := netip.ParseAddr(ip.IP); err == nil {
			addresses = append(addresses, a)
		}
	}
	if len(addresses) > 0 {
		return addresses
	}
	if a, err := netip.ParseAddr(pod.Status.PodIP); err == nil {
		return []netip.Addr{a}
	}
	return nil
}

// SetPod takes in a pod that was created or changed. One that has ended counts
// as deleted, and one that is on no node yet as not made.
func (w *World) SetPod(in *corev1.Pod) {
	if !live(in) || !placed(in) {
		w.DeletePod(keyOf(in))
		return
	}
	pod, view := newPod(in)
	old := w.pods[pod.Key]
	if old != nil && reflect.DeepEqual(old, pod) {
		return
	}
	if old != nil {
		w.forgetPod(old)
	}
	w.pods[pod.Key] = pod
	for _, a := range pod.Addresses {
		w.podsByAddress.add(a, pod.Key)
	}
	if pod.Meshed {
		w.podsByAccount.add(pod.Account(), pod.Key)
		if len(pod.Excluded) > 0 {
			w.excluding.add(pod.View, pod.Key)
		}
	}
	if pod.Maker != (Maker{}) {
		w.podsByMaker.add(pod.Maker, pod.Key)
	}
	if view != nil {
		w.joinView(view, pod)
	}
	w.touchPod(pod)
}

// DeletePod forgets a pod.
func (w *World) DeletePod(key Key) {
	if old := w.pods[key]; old != nil {
		w.forgetPod(old)
		delete(w.pods, key)
	}
}

func (w *World) forgetPod(pod *Pod) {
	for _, a := range pod.Addresses {
		w.podsByAddress.remove(a, pod.Key)
	}
	if pod.Meshed {
		w.podsByAccount.remove(pod.Account(), pod.Key)
		w.excluding.remove(pod.View, pod.Key)
		w.leaveView(pod)
	}
	if pod.Maker != (Maker{}) {
		w.podsByMaker.remove(pod.Maker, pod.Key)
	}
	w.touchPod(pod)
}

// touchPod marks what is compiled from this pod: the Services that have it
// behind them, and its proxy; and its maker.
func (w *World) touchPod(pod *Pod) {
	if pod.Maker != (Maker{}) {
		w.dirty.Makers[pod.Maker] = struct{}{}
	}
	for slice := range w.slicesByPod[pod.Key] {
		w.touchServiceOf(slice)
	}
	for _, a := range pod.Addresses {
		for slice := range w.slicesByAddress[a] {
			w.touchServiceOf(slice)
		}
		for service := range w.claims[a] {
			w.dirty.Services[service] = struct{}{}
			w.dirty.Addresses = true
		}
	}
	if pod.Meshed {
		w.dirty.Proxies[pod.ProxyID()] = struct{}{}
		w.dirty.Accounts[pod.Account()] = struct{}{}
		w.dirty.Addresses = true
		if pod.Scrape.Asked {
			w.dirty.Scraped[pod.View] = struct{}{}
		}
		if len(pod.Excluded) > 0 || len(w.excluding[pod.View]) > 0 {
			w.touchCalled(pod.Key.Namespace)
		}
	}
}

// Pod gives the live pod of that name, or nil.
func (w *World) Pod(key Key) *Pod { return w.pods[key] }

// PodsAt gives the live pods that hold an address: one, or, while a cache lags
// behind, several.
func (w *World) PodsAt(address netip.Addr) []*Pod {
	var pods []*Pod
	for key := range w.podsByAddress[address] {
		pods = append(pods, w.pods[key])
	}
	return pods
}

// MeshedAt gives, by address, the accounts of the meshed pods that hold it: one,
// or, while a cache lags behind, several. An account may be there twice.
func (w *World) MeshedAt() map[netip.Addr][]Key {
	accounts := map[netip.Addr][]Key{}
	for _, pod := range w.pods {
		if !pod.Meshed {
			continue
		}
		for _, address := range pod.Addresses {
			accounts[address] = append(accounts[address], pod.Account())
		}
	}
	return accounts
}

// HasAccount tells whether a meshed pod runs as an account.
func (w *World) HasAccount(account Key) bool { return len(w.podsByAccount[account]) > 0 }

// Accounts gives the accounts of all meshed pods, sorted.
func (w *World) Accounts() []Key { return slices.SortedFunc(maps.Keys(w.podsByAccount), compareKeys) }

// Proxy gives the proxy of that name; false if its pod is gone.
func (w *World) Proxy(id model.ProxyID) (model.Proxy, bool) {
	pod := w.pods[Key{Namespace: id.Namespace, Name: id.Pod}]
	if pod == nil || pod.UID != id.UID || !pod.Meshed {
		return model.Proxy{}, false
	}
	return model.Proxy{ID: id, ServiceAccount: pod.ServiceAccount, Views: append([]string{pod.View}, w.shared(id.Namespace)...)}, true
}

// Proxies gives the names of all proxies, in no order.
func (w *World) Proxies() []model.ProxyID {
	var ids []model.ProxyID
	for _, pod := range w.pods {
		if pod.Meshed {
			ids = append(ids, pod.ProxyID())
		}
	}
	return ids
}
