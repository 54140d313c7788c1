// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

var logLevels = []string{"trace", "debug", "info", "warning", "error", "critical", "off"}

// override is the settings as the pod's annotations change them, and what is
// wrong with these.
func override(pod *corev1.Pod, namespace Namespace, settings Settings) (Settings, []error) {
	var errs []error
	settings.Resources = *settings.Resources.DeepCopy()
	for _, o := range []struct {
		annotation string
		list       *corev1.ResourceList
		name       corev1.ResourceName
	}{
		{metadata.ProxyCPU, &settings.Resources.Requests, corev1.ResourceCPU},
		{metadata.ProxyCPULimit, &settings.Resources.Limits, corev1.ResourceCPU},
		{metadata.ProxyMemory, &settings.Resources.Requests, corev1.ResourceMemory},
		{metadata.ProxyMemoryLimit, &settings.Resources.Limits, corev1.ResourceMemory},
	} {
		text, ok := pod.Annotations[o.annotation]
		if !ok {
			continue
		}
		quantity, err := resource.ParseQuantity(text)
		if err != nil || quantity.Sign() <= 0 {
			errs = append(errs, fmt.Errorf("annotation %s: %q is no quantity above zero: write it as in a container's resources, 100m or 128Mi", o.annotation, text))
			continue
		}
		if *o.list == nil {
			*o.list = corev1.ResourceList{}
		}
		(*o.list)[o.name] = quantity
	}
	settings.Demanded = *settings.Demanded.DeepCopy()
	for _, name := range computed {
		request, limit := settings.Resources.Requests[name], settings.Resources.Limits[name]
		if _, ok := pod.Annotations[annotationOf(name)]; ok {
			// Who says how much the proxy of this pod needs says it of a limit as well.
			set(&settings.Demanded.Limits, name, request)
		}
		if !limit.IsZero() && request.Cmp(limit) > 0 {
			errs = append(errs, fmt.Errorf("annotations mesh.openservicemesh.io/proxy-%[1]s, proxy-%[1]s-limit: the proxy would request %[2]s, above its limit of %[3]s: set both", name, request.String(), limit.String()))
		}
	}
	settings, wrong := overrideProcess(pod, namespace, settings)
	return settings, append(errs, wrong...)
}

func overrideProcess(pod *corev1.Pod, namespace Namespace, settings Settings) (Settings, []error) {
	var errs []error
	if level, ok := pod.Annotations[metadata.ProxyLogLevel]; ok {
		if !slices.Contains(logLevels, level) {
			errs = append(errs, fmt.Errorf("annotation %s: %q is none of %s", metadata.ProxyLogLevel, level, strings.Join(logLevels, ", ")))
		}
		settings.LogLevel = level
	}
	if text, ok := pod.Annotations[metadata.ProxyConcurrency]; ok {
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil || number < 1 || number > 128 {
			errs = append(errs, fmt.Errorf("annotation %s: %q is no number from 1 to 128", metadata.ProxyConcurrency, text))
		}
		settings.Concurrency = int32(number)
	}
	image, ok := pod.Annotations[metadata.ProxyImageAnnotation]
	switch {
	case !ok:
		return settings, errs
	// The image runs as the user whose traffic is not captured, as do others
	// only in such a namespace.
	case !namespace.privileged():
		errs = append(errs, fmt.Errorf("annotation %s: the proxy's image guards what others' policies say: remove it, or have an administrator label the namespace %s=%s", metadata.ProxyImageAnnotation, metadata.PrivilegedLabel, privilegedAllowed))
	case image == "" || strings.ContainsFunc(image, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		errs = append(errs, fmt.Errorf("annotation %s: %q is no image reference", metadata.ProxyImageAnnotation, image))
	}
	settings.ProxyImage = image
	return settings, errs
}
