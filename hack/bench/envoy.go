// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/leaf"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// envoyProcess is a real Envoy, with the files that a pod's has.
type envoyProcess struct {
	dir string
	cmd *exec.Cmd
}

var errNoEnvoy = errors.New("MESH_ENVOY is not set: set it to what hack/images/envoy.sh prints")

// inPod runs Envoy (1) as a pod's (2) where a directory (0) stands for those of a
// pod: what the server sends names files by their paths there.
const inPod = `set -e
mount -t tmpfs tmpfs /run
for d in /run/mesh /run/mesh-run /run/secrets/mesh/identity /run/secrets/mesh/roots; do mkdir -p $d; mount --bind "$0" $d; done
touch /run/envoy; mount --bind "$1" /run/envoy
chown -R 2013370000:1337 "$0"
exec setpriv --pdeathsig=KILL --reuid=2013370000 --regid=1337 --clear-groups /run/envoy -c /run/mesh/bootstrap.yaml --service-node "$2" --service-cluster bench --use-dynamic-base-id --concurrency 1 --log-level warning`

// newSidecar starts an Envoy as the injected container does.
func (s *session) newSidecar(ctx context.Context, pod *corev1.Pod) (*envoyProcess, error) {
	return s.newSidecarIn(ctx, nil, pod)
}

// newSidecarIn is newSidecar in a network namespace, nil for this program's.
func (s *session) newSidecarIn(ctx context.Context, ns *netns, pod *corev1.Pod) (*envoyProcess, error) {
	bootstrap, err := envoy.Bootstrap(envoy.BootstrapParams{
		XDSHost: harness.MeshAddress, XDSPort: sidecar.PortXDS, XDSServerName: harness.ServerName,
	})
	if err != nil {
		return nil, err
	}
	return s.startEnvoyIn(ctx, ns, pod, bootstrap)
}

func (s *session) startEnvoyIn(ctx context.Context, ns *netns, pod *corev1.Pod, bootstrap string) (*envoyProcess, error) {
	binary := os.Getenv("MESH_ENVOY")
	if binary == "" {
		return nil, errNoEnvoy
	}
	dir, err := os.MkdirTemp(s.dir, "envoy-")
	if err != nil {
		return nil, err
	}
	bundle, published, err := s.credentials(ctx, pod)
	if err != nil {
		return nil, err
	}
	files, err := envoy.BootstrapFiles()
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		"bootstrap.yaml": bootstrap, "identity.sds.yaml": files.Identity, "control-plane-roots.sds.yaml": files.ControlPlaneRoots,
		"refusal-budget.yaml": files.RefusalBudget, "roots.pem": string(published), "credentialbundle.pem": string(bundle),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	// Not in dir, which Envoy watches.
	log, err := os.Create(dir + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	run := exec.CommandContext
	if ns != nil {
		run = ns.command
	}
	e := &envoyProcess{dir: dir, cmd: run(ctx, "unshare", "--mount", "sh", "-c", inPod, dir, binary,
		model.ProxyID{Namespace: pod.Namespace, Pod: pod.Name, UID: string(pod.UID)}.String())}
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return e, e.cmd.Start()
}

// runEnvoy starts an Envoy with one worker, whose administration listens in dir.
func runEnvoy(ctx context.Context, dir string, args ...string) (*envoyProcess, error) {
	binary := os.Getenv("MESH_ENVOY")
	if binary == "" {
		return nil, errNoEnvoy
	}
	log, err := os.Create(dir + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	e := &envoyProcess{dir: dir, cmd: exec.CommandContext(ctx, binary, append(args, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error")...)}
	e.cmd.Stdout, e.cmd.Stderr = log, log
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return e, e.cmd.Start()
}

// credentials are a pod's bundle, key first, and the roots.
func (s *session) credentials(ctx context.Context, pod *corev1.Pod) (bundle, roots []byte, err error) {
	f := &fleet{}
	if f.issuer, roots, err = s.issuer(ctx); err != nil {
		return nil, nil, err
	}
	if err := f.makeKey(); err != nil {
		return nil, nil, err
	}
	template, err := leaf.Template(leaf.Name{Namespace: pod.Namespace, ServiceAccount: manyAccount, Pod: pod.Name, UID: string(pod.UID)}, "cluster.local", today())
	if err != nil {
		return nil, nil, err
	}
	certificate, err := f.sign(template)
	if err != nil {
		return nil, nil, err
	}
	return append(f.key, certificate...), roots, nil
}

// admin asks Envoy's admin interface.
func (e *envoyProcess) admin(ctx context.Context, path string) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(e.dir, "admin.sock"))
	}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://admin"+path, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// log is the end of what Envoy has written.
func (e *envoyProcess) log() string {
	data, err := os.ReadFile(e.dir + ".log")
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-2000):])
}

func (e *envoyProcess) stop() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}
