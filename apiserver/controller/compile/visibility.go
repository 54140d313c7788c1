// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// ReasonInvalidVisibility is that of a notice about a Namespace.
const ReasonInvalidVisibility = "InvalidVisibility"

// Seen gives what of a Direct the proxies see from which namespaces are hidden:
// calls to pods of those, and to the addresses of their Services, are refused.
// They are never passed through, for what is in the mesh is never plaintext.
func Seen(w world.Reader, d model.Direct, hidden []string) model.Direct {
	if len(hidden) == 0 {
		return d
	}
	var out model.Direct
	refused := map[netip.Addr]struct{}{}
	refuse := func(addresses []netip.Addr) {
		for _, a := range addresses {
			refused[a] = struct{}{}
		}
	}
	for _, g := range d.Groups {
		if slices.Contains(hidden, namespaceOf(g)) {
			refuse(g.Addresses)
		} else {
			out.Groups = append(out.Groups, g)
		}
	}
	for _, namespace := range hidden {
		for _, key := range w.ServicesIn(namespace) {
			refuse(owned(w, key))
		}
	}
	for _, g := range out.Groups {
		for _, a := range g.Addresses {
			delete(refused, a)
		}
	}
	if len(refused) > 0 {
		out.Groups = append(out.Groups, model.DirectGroup{Addresses: sortedAddresses(refused), Otherwise: &model.Peer{}})
	}
	slices.SortFunc(out.Groups, compareGroups)
	return out
}

// namespaceOf is that of the pods of a group, "" if they are no pods of the mesh
// and no endpoints of a headless Service.
func namespaceOf(g model.DirectGroup) string {
	if g.Otherwise != nil && *g.Otherwise != (model.Peer{}) {
		return g.Otherwise.Account.Namespace
	}
	for _, p := range g.Ports {
		if p.Service != nil {
			return p.Service.Key.Namespace
		}
	}
	return ""
}

// NamespaceNotices gives what there is to say of a Namespace.
func NamespaceNotices(w world.Reader, namespace string) []Notice {
	value, annotated := w.VisibilityOf(namespace)
	if _, _, parsed := world.ParseVisibility(value); parsed || !annotated {
		return nil
	}
	return []Notice{{ReasonInvalidVisibility, fmt.Sprintf(
		"annotation %s: %q is neither Mesh, Namespace nor a list of namespaces; the namespace is visible to itself alone",
		metadata.VisibilityAnnotation, value)}}
}
