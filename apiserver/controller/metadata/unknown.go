// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// names are those under Prefix that act on one kind of object.
type names struct {
	kind                string
	labels, annotations []string
}

var (
	ofPods = names{
		kind:   "Pod",
		labels: []string{InjectLabel},
		annotations: append(slices.Concat(TrafficAnnotations, FileAnnotations),
			ExcludeInboundPorts, ExcludeOutboundPorts, ExcludeOutboundRanges, ExcludeInterfaces,
			ProxyCPU, ProxyCPULimit, ProxyMemory, ProxyMemoryLimit, ProxyImageAnnotation, ProxyLogLevel, ProxyConcurrency),
	}
	ofNamespaces = names{
		kind:        "Namespace",
		labels:      []string{InjectLabel, PrivilegedLabel, InboundExclusionLabel},
		annotations: append(slices.Clone(NamespaceTrafficAnnotations), VisibilityAnnotation),
	}
)

// maxUnknown bounds what is said of one object.
const maxUnknown = 5

// UnknownOfPod says, a sentence each, which of a pod's labels and annotations under
// Prefix do nothing since the mesh has no such name, or none on a pod.
func UnknownOfPod(labels, annotations map[string]string) []string {
	return ofPods.unknown(ofNamespaces, labels, annotations)
}

// UnknownOfNamespace is UnknownOfPod for a Namespace.
func UnknownOfNamespace(labels, annotations map[string]string) []string {
	return ofNamespaces.unknown(ofPods, labels, annotations)
}

func (n names) unknown(elsewhere names, labels, annotations map[string]string) []string {
	var found []string
	for _, s := range []struct {
		sort, other              string
		written                  map[string]string
		known, others, elsewhere []string
	}{
		{"label", "an annotation", labels, n.labels, n.annotations, elsewhere.labels},
		{"annotation", "a label", annotations, n.annotations, n.labels, elsewhere.annotations},
	} {
		for _, name := range ours(s.written) {
			value := s.written[name]
			switch {
			case s.sort == "label" && name == InjectLabel && value != InjectEnabled && value != InjectDisabled:
				found = append(found, fmt.Sprintf("label %s=%s does nothing: write %s or %s", name, value, InjectEnabled, InjectDisabled))
			case slices.Contains(s.known, name):
			case slices.Contains(s.others, name):
				found = append(found, fmt.Sprintf("%s %s does nothing: it is %s", s.sort, name, s.other))
			case slices.Contains(s.elsewhere, name):
				found = append(found, fmt.Sprintf("%s %s does nothing: it acts on a %s", s.sort, name, elsewhere.kind))
			case len(found) >= maxUnknown:
				// To look for what was meant takes long, and it is not shown.
				found = append(found, "")
			default:
				found = append(found, fmt.Sprintf("%s %s does nothing: %s", s.sort, name, meant(name, s.known)))
			}
		}
	}
	if len(found) > maxUnknown {
		more := len(found) - maxUnknown
		found = append(found[:maxUnknown], fmt.Sprintf("%d more names under %s do nothing", more, Prefix))
	}
	return found
}

// ours are the names under Prefix, sorted.
func ours(written map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(written)), func(name string) bool { return !strings.HasPrefix(name, Prefix) })
}

// longestName is the most that the API server takes (prefix, slash and name). Whoever
// reaches the webhook may send others.
const longestName = 253 + 1 + 63

// meant names what is most like a name, unless a third of it would be another.
func meant(name string, known []string) string {
	if len(name) > longestName {
		return "the mesh has none of that name"
	}
	nearest, least := "", len(name)
	for _, k := range known {
		if d := distance(name, k); d < least {
			nearest, least = k, d
		}
	}
	if least > (len(name)-len(Prefix))/3 {
		return "the mesh has none of that name"
	}
	return "is " + nearest + " meant?"
}

// distance is how many bytes have to be put in, taken out or exchanged to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			exchanged := diagonal
			if a[i] != b[j] {
				exchanged++
			}
			diagonal = row[j+1]
			row[j+1] = min(exchanged, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
