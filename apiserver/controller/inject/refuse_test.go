// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// TestRefusals holds a pod that would be injected but for one thing, and the
// sentence that its author reads.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*corev1.Pod, *Namespace, *Settings)
		want   string
	}{
		{"host without pod certificates", func(_ *corev1.Pod, _ *Namespace, s *Settings) { s.PodIdentity = false },
			"this cluster does not serve PodCertificateRequest in certificates.k8s.io/v1, by which a meshed pod gets its identity: use Kubernetes 1.37 or later, or label the pod mesh.openservicemesh.io/inject=disabled"},
		{"host network on the pod's own demand", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.HostNetwork = true
			p.Labels = map[string]string{metadata.InjectLabel: metadata.InjectEnabled}
		}, "hostNetwork: a pod on the node's network cannot be in the mesh: remove hostNetwork, or the pod's label mesh.openservicemesh.io/inject"},
		{"Windows", func(p *corev1.Pod, _ *Namespace, _ *Settings) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} },
			"os.name: a Windows pod cannot be in the mesh: label the pod mesh.openservicemesh.io/inject=disabled"},
		{"Windows by nodeSelector", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "windows"}
		}, "nodeSelector[kubernetes.io/os]: a Windows pod cannot be in the mesh: label the pod mesh.openservicemesh.io/inject=disabled"},
		{"Windows by the older label", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.NodeSelector = map[string]string{"beta.kubernetes.io/os": "windows"}
		}, "nodeSelector[beta.kubernetes.io/os]: a Windows pod cannot be in the mesh"},
		{"Windows by node affinity", affine(
			term("kubernetes.io/os", corev1.NodeSelectorOpIn, "windows"), term("kubernetes.io/os", corev1.NodeSelectorOpNotIn, "linux")),
			"affinity.nodeAffinity: a Windows pod cannot be in the mesh"},
		{"Windows by its user name", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{WindowsOptions: &corev1.WindowsSecurityContextOptions{RunAsUserName: ptr.To("ContainerUser")}}
		}, "securityContext.windowsOptions: a Windows pod cannot be in the mesh"},
		{"Windows by a container's user name", container(func(c *corev1.Container) {
			c.SecurityContext = &corev1.SecurityContext{WindowsOptions: &corev1.WindowsSecurityContextOptions{RunAsUserName: ptr.To("ContainerUser")}}
		}), "container app: securityContext.windowsOptions: a Windows pod cannot be in the mesh"},
		{"PodSecurity baseline", func(_ *corev1.Pod, n *Namespace, _ *Settings) {
			n.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "baseline"}
		}, `namespace bookstore enforces PodSecurity "baseline", which forbids NET_ADMIN, and mesh-init needs it to redirect the pod's traffic: label the namespace pod-security.kubernetes.io/enforce=privileged, or label the pod mesh.openservicemesh.io/inject=disabled`},
		{"PodSecurity restricted", func(_ *corev1.Pod, n *Namespace, _ *Settings) {
			n.Labels = map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
		}, `namespace bookstore enforces PodSecurity "restricted"`},

		{"container as uid 1337", container(func(c *corev1.Container) { c.SecurityContext = &corev1.SecurityContext{RunAsUser: ptr.To[int64](1337)} }),
			"container app runs as uid 1337, whose traffic the mesh does not capture: choose another runAsUser, have an administrator label the namespace mesh.openservicemesh.io/privileged-workloads=allowed, or label the pod mesh.openservicemesh.io/inject=disabled"},
		{"pod as uid 1337", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr.To[int64](1337)}
		}, "container app runs as uid 1337"},
		{"init container as uid 1337", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.InitContainers = []corev1.Container{{Name: "setup", SecurityContext: &corev1.SecurityContext{RunAsUser: ptr.To[int64](1337)}}}
		}, "init container setup runs as uid 1337"},

		{"container as a proxy's user", container(func(c *corev1.Container) {
			c.SecurityContext = &corev1.SecurityContext{RunAsUser: ptr.To[int64](sidecar.FirstProxyUID + 5)}
		}), "container app runs as uid 2013370005, which the mesh keeps for its proxies: choose another runAsUser"},
		{"container as the proxy's group", container(func(c *corev1.Container) {
			c.SecurityContext = &corev1.SecurityContext{RunAsGroup: ptr.To[int64](1337)}
		}),
			"container app runs as gid 1337, whose traffic the mesh does not capture: choose another runAsGroup"},
		{"pod as the proxy's group", ofPod(corev1.PodSecurityContext{RunAsGroup: ptr.To[int64](1337)}),
			"container app runs as gid 1337, whose traffic the mesh does not capture: choose another runAsGroup"},
		{"pod with the proxy's group beside", ofPod(corev1.PodSecurityContext{SupplementalGroups: []int64{7, 1337}}),
			"container app runs as gid 1337, whose traffic the mesh does not capture: remove it from supplementalGroups"},
		{"pod with files of the proxy's group", ofPod(corev1.PodSecurityContext{FSGroup: ptr.To[int64](1337)}),
			"container app runs as gid 1337, whose traffic the mesh does not capture: choose another fsGroup"},

		{"NET_ADMIN", container(adds("NET_ADMIN")), "container app adds capability NET_ADMIN and can step around the mesh: remove it, have an administrator label the namespace mesh.openservicemesh.io/privileged-workloads=allowed, or label the pod mesh.openservicemesh.io/inject=disabled"},
		{"NET_RAW", container(adds("NET_RAW")), "container app adds capability NET_RAW"},
		{"a capability in another spelling", container(adds("cap_net_admin")), "container app adds capability cap_net_admin"},
		{"all capabilities", container(adds("all")), "container app adds capability all"},
		{"privileged", container(func(c *corev1.Container) { c.SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true)} }),
			"container app is privileged and can step around the mesh: remove it"},
		{"one process namespace", func(p *corev1.Pod, _ *Namespace, _ *Settings) { p.Spec.ShareProcessNamespace = ptr.To(true) },
			"shareProcessNamespace lets the pod's containers read the proxy's key: remove it"},
		{"the node's processes", func(p *corev1.Pod, _ *Namespace, _ *Settings) { p.Spec.HostPID = true },
			"hostPID lets the pod's containers read the proxy's key: remove it"},

		{"a port of the proxy", container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{ContainerPort: 15090}} }),
			"container app declares port 15090, which the mesh's proxy listens on: choose another port, or label the pod mesh.openservicemesh.io/inject=disabled"},

		{"a TCP probe of the proxy's port", container(func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(15006)}}}
		}), "container app: readinessProbe.tcpSocket.port: 15006 belongs to the mesh: name the app's own port"},
		{"a gRPC probe of the proxy's port", container(func(c *corev1.Container) {
			c.StartupProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 15001}}}
		}), "container app: startupProbe.grpc.port: 15001 belongs to the mesh: name the app's own port"},

		{"an excluded port that is none", annotated(metadata.ExcludeInboundPorts, "9090,x"),
			`annotation mesh.openservicemesh.io/exclude-inbound-ports: "x" is no port: write numbers from 1 to 65535 with commas between`},
		{"an excluded port of the proxy", annotated(metadata.ExcludeOutboundPorts, "15006"),
			"annotation mesh.openservicemesh.io/exclude-outbound-ports: port 15006 belongs to the mesh: remove it"},
		{"an excluded range that is none", annotated(metadata.ExcludeOutboundRanges, "198.51.100.0"),
			`annotation mesh.openservicemesh.io/exclude-outbound-ip-ranges: "198.51.100.0" is no IP range: write CIDRs`},
		{"an excluded range that no packet is in", annotated(metadata.ExcludeOutboundRanges, "::ffff:198.51.100.0/120"),
			`annotation mesh.openservicemesh.io/exclude-outbound-ip-ranges: "::ffff:198.51.100.0/120" is an IPv4 range written as IPv6: write it as 198.51.100.0/24`},
		{"the pod's own interface excluded", annotated(metadata.ExcludeInterfaces, "eth0"),
			"annotation mesh.openservicemesh.io/exclude-interfaces: interface eth0 carries the pod's own traffic: name another"},
		{"an inbound exclusion that the administrator forbids", func(p *corev1.Pod, n *Namespace, s *Settings) {
			n.Labels = map[string]string{metadata.InboundExclusionLabel: inboundExclusionForbidden}
			annotated(metadata.ExcludeInboundPorts, "9090")(p, n, s)
		}, "annotation mesh.openservicemesh.io/exclude-inbound-ports: namespace bookstore is labelled mesh.openservicemesh.io/inbound-exclusions=forbidden: remove the annotation"},
		{"an override that is no quantity", annotated(metadata.ProxyCPU, "much"),
			`annotation mesh.openservicemesh.io/proxy-cpu: "much" is no quantity above zero: write it as in a container's resources, 100m or 128Mi`},
		{"a request above its limit", annotated(metadata.ProxyMemoryLimit, "64Mi"),
			"annotations mesh.openservicemesh.io/proxy-memory, proxy-memory-limit: the proxy would request 96Mi, above its limit of 64Mi: set both"},
		{"an unknown log level", annotated(metadata.ProxyLogLevel, "loud"),
			`annotation mesh.openservicemesh.io/proxy-log-level: "loud" is none of trace, debug`},
		{"no worker threads", annotated(metadata.ProxyConcurrency, "0"),
			`annotation mesh.openservicemesh.io/proxy-concurrency: "0" is no number from 1 to 128`},
		{"a proxy of the tenant's own", annotated(metadata.ProxyImageAnnotation, "mine"),
			"annotation mesh.openservicemesh.io/proxy-image: the proxy's image guards what others' policies say: remove it, or have an administrator label the namespace mesh.openservicemesh.io/privileged-workloads=allowed"},
		{"HTTP/3 probe", container(func(c *corev1.Container) {
			c.LivenessProbe = httpProbe(80)
			c.LivenessProbe.HTTPGet.Protocol = ptr.To(corev1.HTTPProtocol("HTTP3"))
		}), "container app: livenessProbe.httpGet.protocol: the mesh does not carry HTTP3 probes: use HTTP1, HTTP2 or exec"},
		{"a probe's port without a name", container(func(c *corev1.Container) {
			c.LivenessProbe = httpProbe(0)
			c.LivenessProbe.HTTPGet.Port = intstr.FromString("web")
		}), `container app: livenessProbe.httpGet.port: "web" is not the name of a port of container app`},
		{"an HTTP probe of no port", container(func(c *corev1.Container) { c.LivenessProbe = httpProbe(70000) }),
			"container app: livenessProbe.httpGet.port: 70000 is no port: name one from 1 to 65535"},
		{"a gRPC probe of no port", container(func(c *corev1.Container) {
			c.StartupProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{}}}
		}), "container app: startupProbe.grpc.port: 0 is no port: name one from 1 to 65535"},
		{"a TCP probe without end", container(func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(80)}}, TimeoutSeconds: -1}
		}), "container app: readinessProbe: periodSeconds and timeoutSeconds are seconds, at least 1, or left out"},
		{"a header of a probe without a name", container(func(c *corev1.Container) {
			c.ReadinessProbe = httpProbe(80)
			c.ReadinessProbe.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: "X Own"}}
		}), `container app: readinessProbe.httpGet.httpHeaders: "X Own" is no name of a header: use letters, digits and -`},
		{"a header of a probe that the kubelet cannot send", container(func(c *corev1.Container) {
			c.ReadinessProbe = httpProbe(80)
			c.ReadinessProbe.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: "X-Own", Value: "a\r\nX-Admin: yes"}}
		}), "container app: readinessProbe.httpGet.httpHeaders: the value of X-Own has a control character, and the kubelet sends no such request: remove it"},
		{"a probe of two kinds", container(func(c *corev1.Container) {
			c.ReadinessProbe = httpProbe(80)
			c.ReadinessProbe.GRPC = &corev1.GRPCAction{Port: 9000}
		}), "container app: readinessProbe has more than one of exec, httpGet, tcpSocket and grpc: keep one"},
		{"a probe to the proxy's admin side", container(func(c *corev1.Container) { c.LivenessProbe = httpProbe(15090) }),
			"container app: livenessProbe.httpGet.port: 15090 belongs to the mesh: name the app's own port"},
		{"a probe that poses as rewritten", container(func(c *corev1.Container) {
			c.LivenessProbe = httpProbe(15020)
			c.LivenessProbe.HTTPGet.Path = "/probe/app/liveness"
		}), "container app: livenessProbe.httpGet leads to the mesh's proxy, and no container mesh-init of the pod says where it led before: write the app's own port and path"},
		{"HTTP hook at the end", container(func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{PreStop: httpHook("", intstr.FromInt32(80))}
		}), "container app: lifecycle.preStop.httpGet is plaintext from the kubelet, which the mesh refuses: use exec or sleep, or exclude its port by the annotation mesh.openservicemesh.io/exclude-inbound-ports"},
		{"HTTP hook at the start, another port excluded", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Annotations = map[string]string{metadata.ExcludeInboundPorts: "8080"}
			p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: httpHook("", intstr.FromInt32(80))}
		}, "container app: lifecycle.postStart.httpGet is plaintext from the kubelet"},

		{"an app with the proxy's name", container(func(c *corev1.Container) { c.Name = "mesh-proxy" }),
			"container mesh-proxy: the name belongs to the mesh: choose another"},
		{"an app that mounts the proxy's key", container(func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "mesh-identity", MountPath: "/key"}}
		}), "container app mounts volume mesh-identity, which belongs to the mesh: remove the mount"},
		{"an app that asks for a certificate of its own", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.Volumes = []corev1.Volume{{Name: "mine", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{PodCertificate: &corev1.PodCertificateProjection{SignerName: sidecar.Signer}}},
			}}}}
		}, "volume mine asks for a certificate of signer mesh.openservicemesh.io/workload, which the mesh gives to its proxies alone: remove it"},
		{"an app that mounts a part of the proxy's files", container(func(c *corev1.Container) {
			c.VolumeMounts = []corev1.VolumeMount{{Name: "mesh-run", MountPath: "/run", SubPath: "bootstrap.yaml"}}
		}), "container app mounts volume mesh-run, which belongs to the mesh: remove the mount"},
		{"a sidecar as uid 1337", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.InitContainers = []corev1.Container{{Name: "log", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways), SecurityContext: &corev1.SecurityContext{RunAsUser: ptr.To[int64](1337)}}}
		}, "sidecar container log runs as uid 1337"},
		{"host network that poses as meshed", func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.HostNetwork = true
			p.Spec.Containers[0].Name = "mesh-proxy"
		}, "container mesh-proxy: the name belongs to the mesh: choose another"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod, namespace, settings := readPod(t, "testdata/nothing-there.in.yaml"), bookstore, settings
			test.change(pod, &namespace, &settings)
			result, err := Patch(pod, namespace, settings)
			if err == nil {
				t.Fatalf("admitted with %+v, want %q", result, test.want)
			}
			if !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("refused with\n %s\nwant\n %s", err, test.want)
			}
		})
	}
}

// TestRefusalNamesEveryReason holds that whoever mends a pod needs one attempt.
func TestRefusalNamesEveryReason(t *testing.T) {
	pod := readPod(t, "testdata/nothing-there.in.yaml")
	pod.Annotations = map[string]string{metadata.ProxyCPU: "much", metadata.ProxyLogLevel: "loud", metadata.ExcludeInboundPorts: "x"}
	pod.Spec.InitContainers = []corev1.Container{
		{Name: "setup", SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)}},
		{Name: "log", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways), SecurityContext: &corev1.SecurityContext{
			Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}}},
	}
	app := &pod.Spec.Containers[0]
	app.Ports = []corev1.ContainerPort{{ContainerPort: 15090}}
	app.LivenessProbe = httpProbe(70000)
	_, err := Patch(pod, bookstore, settings)
	want := `7 reasons: (1) init container setup is privileged and can step around the mesh; ` +
		`(2) sidecar container log adds capability NET_ADMIN and can step around the mesh: ` +
		`remove it, have an administrator label the namespace mesh.openservicemesh.io/privileged-workloads=allowed, or label the pod mesh.openservicemesh.io/inject=disabled; ` +
		`(3) container app declares port 15090, which the mesh's proxy listens on: choose another port, or label the pod mesh.openservicemesh.io/inject=disabled; ` +
		`(4) annotation mesh.openservicemesh.io/proxy-cpu: "much" is no quantity above zero: write it as in a container's resources, 100m or 128Mi; ` +
		`(5) annotation mesh.openservicemesh.io/proxy-log-level: "loud" is none of trace, debug, info, warning, error, critical, off; ` +
		`(6) annotation mesh.openservicemesh.io/exclude-inbound-ports: "x" is no port: write numbers from 1 to 65535 with commas between; ` +
		`(7) container app: livenessProbe.httpGet.port: 70000 is no port: name one from 1 to 65535`
	if err == nil || err.Error() != want {
		t.Errorf("refused with\n %v\nwant\n %s", err, want)
	}
}

func TestRefusalIsBounded(t *testing.T) {
	pod := readPod(t, "testdata/nothing-there.in.yaml")
	for port := range int32(100) {
		pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: 15001, HostPort: port})
	}
	_, err := Patch(pod, bookstore, settings)
	if err == nil || !strings.HasPrefix(err.Error(), "100 reasons: (1) ") || !strings.HasSuffix(err.Error(), "; and 92 more") {
		t.Errorf("refused with %v", err)
	}
	pod = readPod(t, "testdata/nothing-there.in.yaml")
	pod.Annotations = map[string]string{metadata.ProxyCPU: strings.Repeat("ü", 100_000)}
	if _, err := Patch(pod, bookstore, settings); err == nil || len(err.Error()) > 600 || !utf8.ValidString(err.Error()) {
		t.Errorf("an annotation of 200 KB is refused with %v", err)
	}
}

// TestPodsOfManyPartsAreDecidedSoon: whoever reaches the webhook's port may send 3 MiB
// of whatever costs most, and all share its processors. By each group for each
// container this one took a minute.
func TestPodsOfManyPartsAreDecidedSoon(t *testing.T) {
	pod := readPod(t, "testdata/nothing-there.in.yaml")
	pod.Spec.SecurityContext = &corev1.PodSecurityContext{SupplementalGroups: make([]int64, 700_000)}
	pod.Spec.Containers = make([]corev1.Container, 100_000)
	pod.Annotations = map[string]string{metadata.Prefix + strings.Repeat("x", 1<<20): ""}
	start := time.Now()
	if _, err := Patch(pod, bookstore, settings); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestLinuxPodsAreNotTakenForWindows holds what looks like it.
func TestLinuxPodsAreNotTakenForWindows(t *testing.T) {
	for name, change := range map[string]func(*corev1.Pod, *Namespace, *Settings){
		"by os.name": func(p *corev1.Pod, _ *Namespace, _ *Settings) { p.Spec.OS = &corev1.PodOS{Name: corev1.Linux} },
		"by nodeSelector": func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "linux", "beta.kubernetes.io/os": "linux"}
		},
		"by nodeSelector, with options that Linux ignores": func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "linux"}
			p.Spec.SecurityContext = &corev1.PodSecurityContext{WindowsOptions: &corev1.WindowsSecurityContextOptions{RunAsUserName: ptr.To("ContainerUser")}}
		},
		"by one term of several": affine(term("kubernetes.io/os", corev1.NodeSelectorOpIn, "windows"), term("zone", corev1.NodeSelectorOpIn, "a")),
		"by a term for both":     affine(term("kubernetes.io/os", corev1.NodeSelectorOpIn, "windows", "linux")),
		"by a term for any":      affine(term("kubernetes.io/os", corev1.NodeSelectorOpExists)),
		"that tolerate Windows": func(p *corev1.Pod, _ *Namespace, _ *Settings) {
			p.Spec.Tolerations = []corev1.Toleration{{Key: "os", Value: "windows", Effect: corev1.TaintEffectNoSchedule}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod, namespace, settings := readPod(t, "testdata/nothing-there.in.yaml"), bookstore, settings
			change(pod, &namespace, &settings)
			if result, err := Patch(pod, namespace, settings); err != nil || len(result.Operations) == 0 {
				t.Errorf("got %+v, %v; want it injected", result, err)
			}
		})
	}
}

func affine(terms ...corev1.NodeSelectorTerm) func(*corev1.Pod, *Namespace, *Settings) {
	return func(p *corev1.Pod, _ *Namespace, _ *Settings) {
		p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
		}}
	}
}

func term(label string, operator corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: label, Operator: operator, Values: values}}}
}

func httpHook(host string, port intstr.IntOrString) *corev1.LifecycleHandler {
	return &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Host: host, Port: port}}
}

// TestHooksThatGoPastTheProxyAreLeftAlone: they are the kubelet's, which is outside the mesh.
func TestHooksThatGoPastTheProxyAreLeftAlone(t *testing.T) {
	for name, lifecycle := range map[string]*corev1.Lifecycle{
		"an excluded port":         {PreStop: httpHook("", intstr.FromInt32(9090)), PostStart: httpHook("", intstr.FromInt32(9091))},
		"an excluded port by name": {PreStop: httpHook("", intstr.FromString("admin"))},
		"another host":             {PreStop: httpHook("198.18.128.1", intstr.FromInt32(80))},
		"no call":                  {PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}, PostStart: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := readPod(t, "testdata/nothing-there.in.yaml")
			pod.Annotations = map[string]string{metadata.ExcludeInboundPorts: "9091, 9090"}
			pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "admin", ContainerPort: 9090}}
			pod.Spec.Containers[0].Lifecycle = lifecycle
			result, err := Patch(pod, bookstore, settings)
			if err != nil {
				t.Fatal(err)
			}
			for _, operation := range result.Operations {
				if strings.HasPrefix(operation.Path, "/spec/containers/0/lifecycle/") {
					t.Errorf("the hook is changed by %+v", operation)
				}
			}
		})
	}
}

// TestForgeriesAreReplaced changes an injected pod in each way that would profit its
// author.
func TestForgeriesAreReplaced(t *testing.T) {
	for name, forge := range map[string]func(*corev1.PodSpec){
		"image":      func(s *corev1.PodSpec) { s.InitContainers[0].Image = "mine" },
		"user":       func(s *corev1.PodSpec) { s.InitContainers[0].SecurityContext.RunAsUser = ptr.To[int64](0) },
		"capability": func(s *corev1.PodSpec) { s.InitContainers[1].SecurityContext.Capabilities.Add = nil },
		"environment": func(s *corev1.PodSpec) {
			s.InitContainers[0].Env[0] = corev1.EnvVar{Name: "POD_NAMESPACE", Value: "other"}
		},
		"another's bootstrap": func(s *corev1.PodSpec) { s.InitContainers[0].Args[0] = "--config-path" },
		"who it is":           func(s *corev1.PodSpec) { s.InitContainers[0].Args[3] = "other/pod/uid" },
		"mount":               func(s *corev1.PodSpec) { s.InitContainers[0].VolumeMounts[4].Name = "kube-api-access" },
		"no readiness probe":  func(s *corev1.PodSpec) { s.InitContainers[0].ReadinessProbe = nil },
		"no sidecar":          func(s *corev1.PodSpec) { s.InitContainers[0].RestartPolicy = nil },
		"environment from elsewhere": func(s *corev1.PodSpec) {
			s.InitContainers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{}}}
		},
		"part of a mount": func(s *corev1.PodSpec) { s.InitContainers[0].VolumeMounts[0].SubPath = "x" },
		"a mount more": func(s *corev1.PodSpec) {
			s.InitContainers[0].VolumeMounts = append(s.InitContainers[0].VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "/etc/envoy"})
		},
		"a command of the author's": func(s *corev1.PodSpec) {
			s.InitContainers[0].Lifecycle.PostStart = &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}
		},
		"a probe that is no probe": func(s *corev1.PodSpec) {
			s.InitContainers[0].ReadinessProbe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}
		},
		"a directory of the node": func(s *corev1.PodSpec) {
			s.Volumes[2] = corev1.Volume{Name: s.Volumes[2].Name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp"}}}
		},
		"words of the author's in the request": func(s *corev1.PodSpec) {
			s.Volumes[0].Projected.Sources[0].PodCertificate.UserAnnotations = map[string]string{"example.com/a": "b"}
		},
		"an identity beside another": func(s *corev1.PodSpec) {
			s.Volumes[0].Projected.Sources = append(s.Volumes[0].Projected.Sources, s.Volumes[0].Projected.Sources[0])
		},
		"identity of another": func(s *corev1.PodSpec) { s.Volumes[0].Projected.Sources[0].PodCertificate.SignerName = "other/signer" },
		"roots of another": func(s *corev1.PodSpec) {
			s.Volumes[1].Projected.Sources[0].ClusterTrustBundle.SignerName = ptr.To("other/signer")
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := apply(t, readPod(t, "testdata/nothing-there.in.yaml"))
			pod := want.DeepCopy()
			forge(&pod.Spec)
			if diff := cmp.Diff(want, apply(t, pod)); diff != "" {
				t.Errorf("the pod keeps what was forged (-want +got):\n%s", diff)
			}
			const warning = "replaced by what the mesh makes today, since the names belong to it: "
			if result, err := Patch(pod, bookstore, settings); err != nil || len(result.Warnings) != 1 || !strings.HasPrefix(result.Warnings[0], warning) {
				t.Errorf("got %+v, %v; want the warning that it is replaced", result.Warnings, err)
			}
		})
	}
	t.Run("a probe's way to the proxy itself", func(t *testing.T) {
		pod := apply(t, readPod(t, "testdata/probes.in.yaml"))
		pod.Spec.InitContainers[1].Args[1] = `--probe={"container":"cache","kind":"startup","scheme":"http","port":15090,"path":"/stats","timeout":1}`
		if result, err := Patch(pod, bookstore, settings); err == nil {
			t.Errorf("admitted with %+v", result)
		}
	})
}

func TestLeftOutOfTheMesh(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*corev1.Pod)
		warning string
	}{
		{"the pod's label wins", func(p *corev1.Pod) { p.Labels = map[string]string{metadata.InjectLabel: metadata.InjectDisabled} }, ""},
		{"host network", func(p *corev1.Pod) { p.Spec.HostNetwork = true }, "this pod is not in the mesh: it uses the node's network"},
		{"mirror pod", func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }, "this pod is not in the mesh: it mirrors a static pod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := readPod(t, "testdata/nothing-there.in.yaml")
			test.change(pod)
			result, err := Patch(pod, bookstore, settings)
			if err != nil || len(result.Operations) != 0 {
				t.Errorf("got %+v, %v; want no operations", result, err)
			}
			if got := strings.Join(result.Warnings, "\n"); got != test.warning {
				t.Errorf("warning is %q, want %q", got, test.warning)
			}
		})
	}
}

// Nobody compares what a pod outside the mesh carries with what the mesh makes,
// and the signer would take it for the mesh's.
func TestPodOutsideTheMeshCannotPose(t *testing.T) {
	for name, leave := range map[string]func(*corev1.Pod){
		"by its label":      func(p *corev1.Pod) { p.Labels = map[string]string{metadata.InjectLabel: metadata.InjectDisabled} },
		"on the node's net": func(p *corev1.Pod) { p.Spec.HostNetwork = true },
		"as a mirror":       func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} },
		"by another volume": func(p *corev1.Pod) {
			p.Labels, p.Spec.InitContainers = map[string]string{metadata.InjectLabel: metadata.InjectDisabled}, nil
			p.Spec.Volumes[0].Name = "mine"
		},
		"with the container": func(p *corev1.Pod) {
			p.Labels, p.Spec.Volumes = map[string]string{metadata.InjectLabel: metadata.InjectDisabled}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := apply(t, readPod(t, "testdata/nothing-there.in.yaml"))
			leave(pod)
			if result, err := Patch(pod, bookstore, settings); err == nil {
				t.Errorf("admitted with %+v", result)
			}
		})
	}
}

func TestPrivilegedNamespaceMayStepAround(t *testing.T) {
	namespace := Namespace{Name: "network", Labels: map[string]string{"mesh.openservicemesh.io/privileged-workloads": "allowed"}}
	pod := readPod(t, "testdata/nothing-there.in.yaml")
	pod.Spec.ShareProcessNamespace = ptr.To(true)
	pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: ptr.To(true), RunAsUser: ptr.To[int64](1337)}
	if result, err := Patch(pod, namespace, settings); err != nil || len(result.Operations) == 0 {
		t.Errorf("got %+v, %v; want it injected", result, err)
	}
}

func TestUDPPortOfTheProxysNumberIsFree(t *testing.T) {
	pod := readPod(t, "testdata/nothing-there.in.yaml")
	pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 15090, Protocol: corev1.ProtocolUDP}}
	if _, err := Patch(pod, bookstore, settings); err != nil {
		t.Error(err)
	}
}

func annotated(name, value string) func(*corev1.Pod, *Namespace, *Settings) {
	return func(p *corev1.Pod, _ *Namespace, _ *Settings) { p.Annotations = map[string]string{name: value} }
}

func container(change func(*corev1.Container)) func(*corev1.Pod, *Namespace, *Settings) {
	return func(p *corev1.Pod, _ *Namespace, _ *Settings) { change(&p.Spec.Containers[0]) }
}

func ofPod(security corev1.PodSecurityContext) func(*corev1.Pod, *Namespace, *Settings) {
	return func(p *corev1.Pod, _ *Namespace, _ *Settings) { p.Spec.SecurityContext = &security }
}

func adds(capability corev1.Capability) func(*corev1.Container) {
	return func(c *corev1.Container) {
		c.SecurityContext = &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{capability}}}
	}
}
