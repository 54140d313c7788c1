// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// TestAProbeAnsweredByARedirectMeansWhatItMeansWithoutTheMesh starts the same pod in
// the mesh and outside, with a container for each redirect, by which the first
// container answers its probes.
func TestAProbeAnsweredByARedirectMeansWhatItMeansWithoutTheMesh(t *testing.T) {
	t.Parallel()
	redirects := []struct {
		name, query string
		ready       bool
	}{
		{"relative", "to=/ok", true},
		{"to-failure", "to=/%3Fstatus=500", false},
		{"to-the-address", "to=http://{ip}:8080/ok", true},
		{"to-another-port", "to=https://{ip}:8443/ok", true},
		{"to-tls-elsewhere", "to=https://{ip}:8080/ok", false},
		{"to-another-host", "to=https://elsewhere.example/login", true},
		{"nine", "times=9", true},
		{"ten", "times=10", false},
	}
	twins := map[string]*corev1.Pod{}
	for _, meshed := range []bool{true, false} {
		app := cluster.Container("app", "redirect")
		app.LivenessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 30, ProbeHandler: corev1.ProbeHandler{
			HTTPGet: &corev1.HTTPGetAction{Path: "/?to=/ok", Port: intstr.FromInt32(8080)}}}
		containers := []corev1.Container{app}
		for i, r := range redirects {
			c := cluster.Container(r.name, "echo", fmt.Sprintf("--listen=:%d", 9100+i))
			c.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, TimeoutSeconds: 10, ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/?" + r.query, Port: intstr.FromInt32(8080)}}}
			containers = append(containers, c)
		}
		pod := createTwin(t, "redirected", meshed, containers...)
		twins[pod.Namespace] = pod
	}
	for _, pod := range twins {
		for _, r := range redirects {
			await.State(t, 2*time.Minute, func() (string, bool) {
				status := containerStatus(t, pod, r.name)
				if r.ready {
					return fmt.Sprintf("%s/%s is not ready: %s", pod.Namespace, r.name, status.State.String()), status.Ready
				}
				return fmt.Sprintf("%s/%s has not been probed three times", pod.Namespace, r.name), asked(t, pod, r.query) >= 3
			})
			if status := containerStatus(t, pod, r.name); status.Ready != r.ready {
				t.Errorf("%s/%s is ready: %v, want %v", pod.Namespace, r.name, status.Ready, r.ready)
			}
		}
		if status := containerStatus(t, pod, "app"); status.RestartCount > 0 {
			t.Errorf("%s: the liveness probe that is answered by a redirect has killed the container", pod.Namespace)
		}
	}
}

// TestTCPAndGRPCReadinessComesWithTheApplication: in the mesh and outside, the first
// probe after the application serves makes it ready. A minute passes between two, so
// an answer from before the application was there would cost that; the best of three
// counts, since a busy machine may miss the first probe.
func TestTCPAndGRPCReadinessComesWithTheApplication(t *testing.T) {
	t.Parallel()
	const within = 45 * time.Second
	for _, meshed := range []bool{true, false} {
		best := time.Hour
		for attempt := 0; attempt < 3 && best > within; attempt++ {
			took := readyAfter(t, fmt.Sprint("timed-", attempt), meshed)
			t.Logf("meshed: %v, ready after %v", meshed, took)
			best = min(best, slices.Max(slices.Collect(maps.Values(took))))
		}
		if best > within {
			t.Errorf("meshed: %v, a container is ready after %s, want the first probe's time", meshed, best)
		}
	}
}

// readyAfter starts a pod whose containers are probed by TCP, by gRPC, and by both
// while one takes 7 s to start, and gives how long after its start each was ready.
func readyAfter(t *testing.T, name string, meshed bool) map[string]time.Duration {
	t.Helper()
	seldom := func(handler corev1.ProbeHandler) *corev1.Probe {
		return &corev1.Probe{InitialDelaySeconds: 10, PeriodSeconds: 60, TimeoutSeconds: 5, ProbeHandler: handler}
	}
	often := func(handler corev1.ProbeHandler) *corev1.Probe {
		return &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 60, ProbeHandler: handler}
	}
	tcp := func(port int32) corev1.ProbeHandler {
		return corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(port)}}
	}
	rpc := func(port int32) corev1.ProbeHandler { return corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port}} }

	byTCP, byGRPC := cluster.Container("tcp", "reflect", "--listen=:8080", "--grpc=:8081"), cluster.Container("grpc", "reflect", "--listen=:8082", "--grpc=:8083")
	slow := cluster.Container("slow", "reflect", "--listen=:8084", "--grpc=:8085", "--after=7s")
	byTCP.ReadinessProbe, byGRPC.ReadinessProbe = seldom(tcp(8080)), seldom(rpc(8083))
	slow.StartupProbe, slow.ReadinessProbe = often(tcp(8084)), often(rpc(8085))
	pod := createTwin(t, name, meshed, byTCP, byGRPC, slow)
	took := map[string]time.Duration{}
	for _, name := range []string{"tcp", "grpc", "slow"} {
		await.State(t, 3*time.Minute, func() (string, bool) {
			return fmt.Sprintf("%s is not ready, meshed: %v", name, meshed), containerStatus(t, pod, name).Ready
		})
		took[name] = time.Since(containerStatus(t, pod, name).State.Running.StartedAt.Time)
	}
	if restarts := containerStatus(t, pod, "slow").RestartCount; restarts > 0 {
		t.Errorf("the startup probe has killed the container, meshed: %v", meshed)
	}
	return took
}

// TestAStrangersRequestToThePortOfProbesIsTheProbesOwn looks at what the application
// has seen of the kubelet's requests, and of those of a caller outside the mesh.
func TestAStrangersRequestToThePortOfProbesIsTheProbesOwn(t *testing.T) {
	t.Parallel()
	app := cluster.Container("app", "redirect")
	app.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/ok?by=readiness", Port: intstr.FromInt32(8080),
		HTTPHeaders: []corev1.HTTPHeader{{Name: "X-Own", Value: "one"}, {Name: "Host", Value: "shop.example"}}}}}
	app.LivenessProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 60, ProbeHandler: corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/ok?by=liveness", Port: intstr.FromInt32(8080)}}}
	shop := live.Shop(t)
	manifest := cluster.Manifest(shop.Namespace, "probed", app)
	pod, err := live.Start(t.Context(), manifest)
	if err != nil {
		t.Fatal(err)
	}
	status := func(ip, request string) int {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip, "15020"), 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		_, _ = io.WriteString(conn, request)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0
		}
		return response.StatusCode
	}
	stranger := "GET /probe/app/readiness HTTP/1.1\r\nHost: stranger.example\r\nX-Original-URL: /admin\r\nCookie: stranger=1\r\nX-Own: stranger\r\nUser-Agent: stranger\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n"
	for _, ip := range []string{pod.IP, pod.IP6} {
		if got := status(ip, stranger); got != http.StatusOK {
			t.Errorf("at %s the stranger is answered %d, want 200", ip, got)
		}
	}
	for request, want := range map[string]int{
		"GET /probe/app/readiness HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nConnection: close\r\n\r\nstranger":  400,
		"POST /probe/app/readiness HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nConnection: close\r\n\r\nstranger": 404,
		"GET /probe/app/readiness?stranger HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                      404,
		"GET /stranger HTTP/1.1\r\nHost: " + pod.IP + ":8080\r\nConnection: close\r\n\r\n":                        404,
	} {
		if got := status(pod.IP, request); got != want {
			t.Errorf("%q is answered %d, want %d", request, got, want)
		}
	}
	type request struct {
		Method, Path, Host, Body string
		Headers                  http.Header
	}
	var log string
	await.State(t, soon, func() (string, bool) {
		if log, err = pod.Log(t.Context(), "app"); err != nil {
			return err.Error(), false
		}
		return "not all requests are in the log", strings.Contains(log, "by=readiness") && strings.Contains(log, "by=liveness") &&
			strings.Count(log, `["kube-probe"]`) >= 2
	})
	agent := regexp.MustCompile(`^kube-probe(/\d+\.\d+\+?)?$`)
	strangers := 0
	for line := range strings.Lines(log) {
		var got request
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		want := request{Method: "GET", Path: "/ok?by=liveness", Host: net.JoinHostPort(pod.IP, "8080"), Headers: http.Header{"Accept": {"*/*"}, "Connection": {"close"}}}
		if strings.HasSuffix(got.Path, "readiness") {
			want.Path, want.Host, want.Headers["X-Own"] = "/ok?by=readiness", "shop.example", []string{"one"}
		}
		said := got.Headers.Values("User-Agent")
		if len(said) != 1 || !agent.MatchString(said[0]) {
			t.Errorf("the application saw the user agent %q, want the kubelet's", said)
		}
		if slices.Equal(said, []string{"kube-probe"}) {
			strangers++
		}
		want.Headers["User-Agent"] = said
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the application saw %v, want %v", got, want)
		}
	}
	if strangers != 2 {
		t.Errorf("%d requests of the stranger reached the application, want one by each address", strangers)
	}
}

// createTwin makes a pod in a meshed namespace of its own, or in one outside the mesh.
func createTwin(t *testing.T, name string, meshed bool, containers ...corev1.Container) *corev1.Pod {
	t.Helper()
	where := name + "-outside"
	if meshed {
		where = name + "-meshed"
	}
	namespace, err := live.Namespace(t.Context(), where, meshed)
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Account(t.Context(), namespace, name); err != nil {
		t.Fatal(err)
	}
	manifest := cluster.Manifest(namespace, name, containers...)
	manifest.Spec.AutomountServiceAccountToken = ptr.To(false)
	pod, err := live.Core.CoreV1().Pods(namespace).Create(t.Context(), manifest, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func containerStatus(t *testing.T, pod *corev1.Pod, container string) corev1.ContainerStatus {
	t.Helper()
	now, err := live.Core.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range now.Status.ContainerStatuses {
		if status.Name == container {
			return status
		}
	}
	return corev1.ContainerStatus{}
}

// asked counts how often the first container of a pod says that it was asked for this.
func asked(t *testing.T, pod *corev1.Pod, query string) int {
	t.Helper()
	log, err := live.Core.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: pod.Spec.Containers[0].Name}).DoRaw(t.Context())
	if err != nil {
		t.Log(err)
		return 0
	}
	return strings.Count(string(log), fmt.Sprintf("%q", "/?"+query))
}
