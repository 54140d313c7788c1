// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/inject"
)

// TestInitTakesWhatTheWebhookGives patches a pod, expands the arguments of
// mesh-init as the kubelet does, and lets init read them.
func TestInitTakesWhatTheWebhookGives(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app",
		LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/healthz?a=1,2", Port: intstr.FromInt32(8080),
		}}},
		ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
			Path: "/ready", Port: intstr.FromInt32(8443), Scheme: corev1.URISchemeHTTPS,
		}}},
	}}}}
	var flags initFlags
	set := pflag.NewFlagSet("init", pflag.ContinueOnError)
	flags.add(set)
	if err := set.Parse(expand(meshInit(t, pod).Args)); err != nil {
		t.Fatal(err)
	}

	directory := t.TempDir()
	for range 2 { // The container may restart.
		if err := prepare(directory, flags); err != nil {
			t.Fatal(err)
		}
	}
	bootstrap := read(t, directory, "bootstrap.yaml")
	for _, want := range []string{
		"shop/app-7x2/0a1b", "mesh-apiserver.mesh-system.svc.cluster.local", "15012",
		"/probe/app/liveness", "/healthz?a=1,2", "/probe/app/readiness", "198.18.0.7", "2001:2:0:1::7",
	} {
		if !strings.Contains(bootstrap, want) {
			t.Errorf("bootstrap.yaml lacks %q", want)
		}
	}
	if !strings.Contains(read(t, directory, "identity.sds.yaml"), "credentialbundle.pem") {
		t.Error("identity.sds.yaml lacks the credential bundle")
	}
	if !strings.Contains(read(t, directory, "control-plane-roots.sds.yaml"), "roots.pem") {
		t.Error("control-plane-roots.sds.yaml lacks the roots")
	}
	if !strings.Contains(read(t, directory, "refusal-budget.yaml"), "max_tokens") {
		t.Error("refusal-budget.yaml lacks how many refusals are logged")
	}
	program, err := os.Stat(filepath.Join(directory, "mesh-apiserver"))
	if err != nil || program.Mode().Perm() != 0o755 {
		t.Errorf("copy of the program: %v, %v", program, err)
	}
	if left, _ := filepath.Glob(filepath.Join(directory, ".init-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestInitSaysWhichFlagIsWrong(t *testing.T) {
	good := initFlags{node: "a/b/c", podIPs: "198.18.0.7,2001:2:0:1::7", controlPlane: "host:15012", controlPlaneName: "host"}
	for _, test := range []struct {
		change func(*initFlags)
		want   string
	}{
		{func(f *initFlags) { f.node = "a/b" }, `--node "a/b": want <namespace>/<name>/<uid>`},
		{func(f *initFlags) { f.controlPlane = "host" }, "--control-plane: address host: missing port in address"},
		{func(f *initFlags) { f.controlPlane = "host:x" }, `--control-plane: port "x" is no number below 65536`},
		{func(f *initFlags) { f.podIPs = "" }, `--pod-ips: ParseAddr(""): unable to parse IP`},
		{func(f *initFlags) { f.probes = []string{"x"} }, `--probe: probe "x": want a JSON object with container, kind, scheme, port, path, headers and timeout: invalid character 'x' looking for beginning of value`},
	} {
		flags := good
		test.change(&flags)
		if err := prepare(t.TempDir(), flags); err == nil || err.Error() != test.want {
			t.Errorf("error is %v, want %s", err, test.want)
		}
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
		if operation.Path != "/spec/initContainers/0" {
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
	t.Fatal("the patch adds no init container")
	return corev1.Container{}
}

func expand(args []string) []string {
	values := strings.NewReplacer(
		"$(POD_NAMESPACE)", "shop", "$(POD_NAME)", "app-7x2", "$(POD_UID)", "0a1b",
		"$(POD_IPS)", "198.18.0.7,2001:2:0:1::7", "$(PROXY_MEMORY)", "134217728", "$$", "$")
	var expanded []string
	for _, arg := range args {
		expanded = append(expanded, values.Replace(arg))
	}
	return expanded
}

func read(t *testing.T, directory, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
