// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/inject"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/redirect"
)

// TestInitTakesWhatTheWebhookGives patches a pod, and lets init read the arguments
// of its container mesh-init.
func TestInitTakesWhatTheWebhookGives(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app",
		LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/healthz?a=1,2", Port: intstr.FromInt32(8080),
		}}},
	}}}}
	pod.Annotations = map[string]string{
		metadata.ExcludeInboundPorts: "9090,9091", metadata.ExcludeOutboundPorts: "3306",
		metadata.ExcludeOutboundRanges: "198.51.100.0/24,2001:db8::/32", metadata.ExcludeInterfaces: "net1",
	}
	container := meshInit(t, pod)
	if want := []string{"mesh-helper", "init"}; !cmp.Equal(container.Command, want) {
		t.Errorf("the container runs %v, want %v", container.Command, want)
	}
	flags, err := parseInit(container.Args)
	if err != nil {
		t.Fatal(err)
	}
	want := redirect.Exclusions{
		InboundPorts: []uint16{9090, 9091}, OutboundPorts: []uint16{3306},
		OutboundRanges: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		Interfaces:     []string{"net1"},
	}
	if diff := cmp.Diff(want, flags.except, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !sidecar.IsProxyUID(int64(flags.proxyUID)) {
		t.Errorf("the proxy's user is %d", flags.proxyUID)
	}
	if len(flags.probes) != 1 || !strings.Contains(flags.probes[0], `"container":"app","kind":"liveness"`) {
		t.Errorf("probes are %q", flags.probes)
	}
}

func TestInitSaysWhichFlagIsWrong(t *testing.T) {
	for arg, want := range map[string]string{
		"--exclude-inbound-port=0":      "exclude-inbound-port: 0 is no port",
		"--exclude-outbound-port=70000": "exclude-outbound-port: 70000 is no port",
		"--exclude-outbound-range=x":    "exclude-outbound-range",
		"--proxy-uid=root":              "proxy-uid",
		"more":                          `"more"`,
	} {
		if _, err := parseInit([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one about %s", arg, err, want)
		}
	}
}

// TestTheCopyOfTheProgramIsReplaced: the container may run again in its pod, while
// a hook runs the copy.
func TestTheCopyOfTheProgramIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mesh-helper")
	for range 2 {
		if err := copyProgram(path); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.Stat(path)
	if err != nil || program.Mode().Perm() != 0o755 {
		t.Errorf("copy of the program: %v, %v", program, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".init-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func meshInit(t *testing.T, pod *corev1.Pod) corev1.Container {
	t.Helper()
	result, err := inject.Patch(pod, inject.Namespace{Name: "shop"}, inject.Settings{
		SystemNamespace: "mesh-system", ClusterDomain: "cluster.local", PodIdentity: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, operation := range result.Operations {
		if operation.Path != "/spec/initContainers/1" {
			continue
		}
		raw, err := json.Marshal(operation.Value)
		if err != nil {
			t.Fatal(err)
		}
		var container corev1.Container
		if err := json.Unmarshal(raw, &container); err != nil {
			t.Fatal(err)
		}
		return container
	}
	t.Fatal("the patch adds no second init container")
	return corev1.Container{}
}
