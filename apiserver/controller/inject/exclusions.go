// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Annotations of a pod that keep some of its traffic away from the proxy, each
// a list with commas between. An excluded inbound port takes plaintext from
// anybody, and no policy guards it.
const (
	ExcludeInboundPorts   = "mesh.openservicemesh.io/exclude-inbound-ports"
	ExcludeOutboundPorts  = "mesh.openservicemesh.io/exclude-outbound-ports"
	ExcludeOutboundRanges = "mesh.openservicemesh.io/exclude-outbound-ip-ranges"
	ExcludeInterfaces     = "mesh.openservicemesh.io/exclude-interfaces"
)

// InboundExclusionLabel on a namespace, with the value InboundExclusionForbidden,
// refuses pods that exclude inbound ports or interfaces. It stands on the
// namespace because tenants' roles cannot edit namespaces.
const (
	InboundExclusionLabel     = "mesh.openservicemesh.io/inbound-exclusions"
	InboundExclusionForbidden = "forbidden"
)

// maxExcluded bounds one list: each item is a rule that every new connection
// may have to pass.
const maxExcluded = 64

const excludeArgument = "--exclude-"

// exclusions are in the order in which the arguments of mesh-init name them.
var exclusions = []struct {
	annotation, argument string
	inbound              bool
	check                func(string) error
}{
	{ExcludeInboundPorts, excludeArgument + "inbound-port=", true, checkPort},
	{ExcludeOutboundPorts, excludeArgument + "outbound-port=", false, checkPort},
	{ExcludeOutboundRanges, excludeArgument + "outbound-range=", false, checkRange},
	{ExcludeInterfaces, excludeArgument + "interface=", true, checkInterface},
}

// exclude gives the arguments for mesh-init, and warns of what is unguarded.
func exclude(pod *corev1.Pod, namespace Namespace) (arguments, warnings []string, err error) {
	for _, exclusion := range exclusions {
		value, ok := pod.Annotations[exclusion.annotation]
		if !ok || strings.TrimSpace(value) == "" {
			continue
		}
		if exclusion.inbound && namespace.Labels[InboundExclusionLabel] == InboundExclusionForbidden {
			return nil, nil, fmt.Errorf("annotation %s: namespace %s is labelled %s=%s: remove the annotation",
				exclusion.annotation, namespace.Name, InboundExclusionLabel, InboundExclusionForbidden)
		}
		items := strings.Split(value, ",")
		if len(items) > maxExcluded {
			return nil, nil, fmt.Errorf("annotation %s: %d items: name at most %d", exclusion.annotation, len(items), maxExcluded)
		}
		for _, item := range items {
			item = strings.TrimSpace(item)
			if err := exclusion.check(item); err != nil {
				return nil, nil, fmt.Errorf("annotation %s: %w", exclusion.annotation, err)
			}
			arguments = append(arguments, exclusion.argument+item)
		}
		if exclusion.inbound {
			warnings = append(warnings, fmt.Sprintf("annotation %s: what comes in there is neither encrypted nor guarded by policies", exclusion.annotation))
		}
	}
	return arguments, warnings, nil
}

func checkPort(item string) error {
	port, err := strconv.ParseUint(item, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("%q is no port: write numbers from 1 to 65535 with commas between", item)
	}
	if ofProxy(int32(port)) {
		return fmt.Errorf("port %d belongs to the mesh: remove it", port)
	}
	return nil
}

func checkRange(item string) error {
	if _, err := netip.ParsePrefix(item); err != nil {
		return fmt.Errorf("%q is no IP range: write CIDRs as 198.51.100.0/24 or 2001:db8::/32 with commas between", item)
	}
	return nil
}

var interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)

// checkInterface refuses those through which all that the mesh carries goes:
// without them the pod would hold an identity and no proxy would guard it.
func checkInterface(item string) error {
	switch {
	case item == "lo" || item == "eth0":
		return fmt.Errorf("interface %s carries the pod's own traffic: name another, or take the pod out of the mesh by its label", item)
	case !interfaceName.MatchString(item):
		return fmt.Errorf("%q is no interface: write names of at most 15 letters, digits, dots, dashes and underscores with commas between", item)
	}
	return nil
}
