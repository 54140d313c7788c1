// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"net/netip"
	"reflect"
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
	// Speaks is true if its metadata speak of traffic, or do nothing (Unknown).
	Speaks bool
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
	pod.Speaks = len(pod.Unknown) > 0 || len(view.Traffic) > 0
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
	old, _ := w.pods.Get(nil, pod.Key)
	if old != nil && reflect.DeepEqual(old, pod) {
		return
	}
	w.pods.Set(pod.Key, pod)
	if view != nil {
		w.joinView(view)
	}
	w.filePod(pod, true)
	if old != nil {
		w.filePod(old, false)
		w.leaveView(old)
	}
}

// DeletePod forgets a pod.
func (w *World) DeletePod(key Key) {
	if old, ok := w.pods.Get(nil, key); ok {
		w.pods.Delete(key)
		w.filePod(old, false)
		w.leaveView(old)
	}
}

func (w *World) filePod(pod *Pod, there bool) {
	for _, a := range pod.Addresses {
		file(w.podsByAddress, a, pod.Key, there)
	}
	if pod.Maker != (Maker{}) {
		file(w.podsByMaker, pod.Maker, pod.Key, there)
	}
	if !pod.Meshed {
		return
	}
	file(w.podsByAccount, pod.Account(), pod.Key, there)
	file(w.podsIn, pod.Key.Namespace, pod.Key, there)
	file(w.podsByView, pod.View, pod.Key, there)
	file(w.proxies, pod.ProxyID(), whole{}, there)
	for _, a := range pod.Addresses {
		file(w.meshed, whole{}, at{a, pod.Account()}, there)
	}
	if len(pod.Excluded) > 0 {
		file(w.excluding, pod.View, pod.Key, there)
	}
	if pod.Scrape.Asked {
		file(w.asking, pod.View, pod.Key, there)
	}
	if pod.Speaks {
		file(w.speaking, pod.ProxyID(), whole{}, there)
	}
}

// Pod gives the live pod of that name, or nil.
func (r Reader) Pod(key Key) *Pod {
	pod, _ := r.w.pods.Get(r.record, key)
	return pod
}

func (r Reader) podsOf(keys []Key) []*Pod {
	pods := make([]*Pod, len(keys))
	for i, key := range keys {
		pods[i] = r.Pod(key)
	}
	return pods
}

// PodsAt gives the live pods that hold an address: one, or, while a cache lags
// behind, several. They are in no order.
func (r Reader) PodsAt(address netip.Addr) []*Pod {
	var pods []*Pod
	for _, key := range r.w.podsByAddress.Of(r.record, address) {
		pods = append(pods, r.Pod(key))
	}
	return pods
}

// MeshedAt gives, by address, the accounts of the meshed pods that hold it: one,
// or, while a cache lags behind, several. They are in no order.
func (r Reader) MeshedAt() map[netip.Addr][]Key {
	accounts := make(map[netip.Addr][]Key, r.w.meshed.Len(r.record, whole{}))
	for _, m := range r.w.meshed.Of(r.record, whole{}) {
		accounts[m.address] = append(accounts[m.address], m.account)
	}
	return accounts
}

// HasAccount tells whether a meshed pod runs as an account.
func (r Reader) HasAccount(account Key) bool { return r.w.podsByAccount.Len(r.record, account) > 0 }

// OnAccount has f called when an account has its first meshed pod, or has lost its last.
func (w *World) OnAccount(f func(Key)) { w.podsByAccount.OnKey(f) }

// OnProxy has f called when a meshed pod has come or gone. One that was made anew is
// another.
func (w *World) OnProxy(f func(model.ProxyID)) { w.proxies.OnKey(f) }

// OnSpeaking is OnProxy for pods of which there may be something to say to their authors
// (Pod.Speaks).
func (w *World) OnSpeaking(f func(model.ProxyID)) { w.speaking.OnKey(f) }

// PodOf gives the pod of a proxy, nil if it is gone.
func (r Reader) PodOf(id model.ProxyID) *Pod {
	pod := r.Pod(Key{Namespace: id.Namespace, Name: id.Pod})
	if pod == nil || pod.UID != id.UID || !pod.Meshed {
		return nil
	}
	return pod
}

// Proxy gives the proxy of that name; false if its pod is gone.
func (r Reader) Proxy(id model.ProxyID) (model.Proxy, bool) {
	pod := r.PodOf(id)
	if pod == nil {
		return model.Proxy{}, false
	}
	return model.Proxy{ID: id, ServiceAccount: pod.ServiceAccount, Views: append([]string{pod.View}, shared.Of(r, id.Namespace)...)}, true
}
