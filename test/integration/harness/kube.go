// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/openservicemesh/mesh-apiserver/test/pki"
)

// EtcdURL is where the cluster's etcd takes clients.
const EtcdURL = "http://127.0.0.1:2379"

// WebhookClient is the common name by which kube-apiserver calls the mesh's webhook.
const WebhookClient = "kube-apiserver-webhooks"

// meshUser is the account that the manifests give the server's rights to.
const meshUser = "system:serviceaccount:mesh-system:mesh-apiserver"

// Kube is a Kubernetes without nodes: etcd, kube-apiserver with its aggregator,
// and the controllers that namespaces need.
type Kube struct {
	dir, bin       string
	address        string
	flags          []string
	root           string
	processes      []*Process
	front, cluster *authority
	// Admin is a client configuration that may do everything.
	Admin *rest.Config
	// AdminKubeconfig is the same as a file.
	AdminKubeconfig string
	meshKubeconfig  string
}

// StartKube starts everything and waits until it is ready. dir takes data and
// logs; root is the repository.
func StartKube(ctx context.Context, dir, root string) (*Kube, error) {
	bin, err := kubeBinaries(ctx, root)
	if err != nil {
		return nil, err
	}
	k := &Kube{dir: dir, bin: bin, root: root, address: KubeAddress}
	if err := k.writePKI(); err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	for _, step := range []func(context.Context) error{k.startEtcd, k.startAPIServer, k.startControllers} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, k.Stop(ctx))
		}
	}
	return k, nil
}

// WithoutPodIdentity starts another kube-apiserver, with an empty store of its
// own, that does not serve what pods get certificates by. It has no controllers.
func (k *Kube) WithoutPodIdentity(ctx context.Context) (*Kube, error) {
	other := &Kube{dir: k.path("without-pod-identity"), bin: k.bin, root: k.root, address: ThirdAddress, flags: []string{
		"--etcd-prefix=/without-pod-identity",
		"--feature-gates=PodCertificateRequest=false",
		"--runtime-config=certificates.k8s.io/v1/podcertificaterequests=false,certificates.k8s.io/v1/clustertrustbundles=false",
	}}
	if err := os.Mkdir(other.dir, 0o755); err != nil {
		return nil, err
	}
	if err := other.writePKI(); err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	if err := other.startAPIServer(ctx); err != nil {
		return nil, errors.Join(err, other.Stop(ctx))
	}
	return other, nil
}

// kubeBinaries finds Kubernetes's programs, and builds them if need be.
func kubeBinaries(ctx context.Context, root string) (string, error) {
	if bin := os.Getenv("MESH_KUBE_BINARY"); bin != "" {
		return bin, nil
	}
	out, err := run(ctx, "", filepath.Join(root, "hack/cluster/build.sh"))
	if err != nil {
		return "", fmt.Errorf("build Kubernetes: %w", err)
	}
	lines := strings.Fields(out)
	return lines[len(lines)-1], nil
}

func (k *Kube) writePKI() error {
	var err error
	if k.cluster, err = newAuthority(k.dir, "cluster-ca"); err != nil {
		return err
	}
	if k.front, err = newAuthority(k.dir, "front-proxy-ca"); err != nil {
		return err
	}
	if _, err = k.cluster.issue("apiserver", "kube-apiserver", nil, k.address); err != nil {
		return err
	}
	if _, err = k.front.issue("front-proxy", "front-proxy", nil); err != nil {
		return err
	}
	if err := k.writeWebhookClient(); err != nil {
		return err
	}
	accounts, err := k.cluster.Issue(pki.Leaf{Name: "service accounts"})
	if err != nil {
		return err
	}
	if err := write(k.path("service-account.key"), accounts.Key); err != nil {
		return err
	}
	if k.AdminKubeconfig, err = k.kubeconfig("admin", "admin", "system:masters"); err != nil {
		return err
	}
	if k.meshKubeconfig, err = k.kubeconfig("mesh", meshUser, "system:serviceaccounts", "system:serviceaccounts:mesh-system"); err != nil {
		return err
	}
	if k.Admin, err = clientcmd.BuildConfigFromFlags("", k.AdminKubeconfig); err == nil {
		k.Admin.QPS = -1
		k.Admin.WarningHandler = rest.NoWarnings{}
	}
	return err
}

// kubeconfig writes a kubeconfig for a user by certificate.
func (k *Kube) kubeconfig(file, user string, groups ...string) (string, error) {
	client, err := k.cluster.issue(file, user, groups)
	if err != nil {
		return "", err
	}
	path := k.path(file + ".kubeconfig")
	return path, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"kube": {Server: "https://" + k.address + ":6443", CertificateAuthority: k.cluster.File}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{file: {ClientCertificate: client.Cert, ClientKey: client.Key}},
		Contexts:       map[string]*clientcmdapi.Context{"kube": {Cluster: "kube", AuthInfo: file}},
		CurrentContext: "kube",
	}, path)
}

// writeWebhookClient gives kube-apiserver a certificate to show the mesh's webhook, as
// docs/operations.md says. Servers that ask for none do not see it.
func (k *Kube) writeWebhookClient() error {
	client, err := k.cluster.issue("webhook-client", WebhookClient, nil)
	if err != nil {
		return err
	}
	user := "mesh-apiserver.mesh-system.svc:9443"
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		AuthInfos: map[string]*clientcmdapi.AuthInfo{user: {ClientCertificate: client.Cert, ClientKey: client.Key}},
	}, k.path("webhooks.kubeconfig")); err != nil {
		return err
	}
	return os.WriteFile(k.path("admission.yaml"), fmt.Appendf(nil, `
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: MutatingAdmissionWebhook
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: %s
`, k.path("webhooks.kubeconfig")), 0o600)
}

// ClientCA is the file of the authority of all clients' certificates.
func (k *Kube) ClientCA() string { return k.cluster.File }

// Certificate gives a client certificate with a common name.
func (k *Kube) Certificate(name string) (tls.Certificate, error) {
	client, err := k.cluster.issue("stranger", name, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.LoadX509KeyPair(client.Cert, client.Key)
}

// As gives a client configuration for a user by certificate.
func (k *Kube) As(user string, groups ...string) (*rest.Config, error) {
	path, err := k.kubeconfig("user", user, groups...)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	// The next user's certificate takes the place of this one.
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	config.CertFile, config.KeyFile, config.CAFile = "", "", ""
	return config, nil
}

func (k *Kube) path(name string) string { return filepath.Join(k.dir, name) }

func (k *Kube) startEtcd(ctx context.Context) error {
	p, err := k.start("etcd", "--data-dir="+k.path("etcd"), "--log-level=warn", "--unsafe-no-fsync",
		"--listen-client-urls="+EtcdURL, "--advertise-client-urls="+EtcdURL,
		"--listen-peer-urls=http://127.0.0.1:2380")
	if err != nil {
		return err
	}
	return p.await(ctx, "health", func(ctx context.Context) error {
		_, err := get(ctx, http.DefaultClient, EtcdURL+"/health")
		return err
	})
}

func (k *Kube) startAPIServer(ctx context.Context) error {
	args := append([]string{
		"--etcd-servers=" + EtcdURL,
		"--bind-address=" + k.address, "--advertise-address=" + k.address, "--secure-port=6443",
		"--tls-cert-file=" + k.path("apiserver.crt"), "--tls-private-key-file=" + k.path("apiserver.key"), "--cert-dir=" + k.dir,
		"--client-ca-file=" + k.cluster.File,
		"--admission-control-config-file=" + k.path("admission.yaml"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range=198.19.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + k.path("service-account.key"), "--service-account-signing-key-file=" + k.path("service-account.key"),
		"--requestheader-client-ca-file=" + k.front.File, "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-uid-headers=X-Remote-Uid",
		"--proxy-client-cert-file=" + k.path("front-proxy.crt"), "--proxy-client-key-file=" + k.path("front-proxy.key"),
		// There is no kube-proxy: the aggregator goes to the endpoints itself.
		"--enable-aggregator-routing=true",
	}, k.flags...)
	p, err := k.start("kube-apiserver", args...)
	if err != nil {
		return err
	}
	return p.await(ctx, "readiness", func(ctx context.Context) error {
		_, err := k.Kubectl(ctx, "", "get", "--raw", "/readyz")
		return err
	})
}

func (k *Kube) startControllers(context.Context) error {
	_, err := k.start("kube-controller-manager",
		"--kubeconfig="+k.AdminKubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1", "--cert-dir="+k.dir,
		"--controllers=namespace-controller,clusterrole-aggregation-controller,serviceaccount-controller,garbage-collector-controller,resourcequota-controller",
		// A quota that is older than what it counts is looked at anew only then.
		"--resource-quota-sync-period=5s")
	return err
}

func (k *Kube) start(name string, args ...string) (*Process, error) {
	p, err := start(k.dir, name, filepath.Join(k.bin, name), args...)
	if err == nil {
		k.processes = append(k.processes, p)
	}
	return p, err
}

// Kubectl runs the real kubectl as the administrator.
func (k *Kube) Kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	return run(ctx, stdin, filepath.Join(k.bin, "kubectl"), append([]string{"--kubeconfig=" + k.AdminKubeconfig}, args...)...)
}

// Stop ends everything at once: nobody needs the data any more, and an API
// server that is asked to end waits a minute for its watches.
func (k *Kube) Stop(ctx context.Context) error {
	var errs []error
	for i := len(k.processes) - 1; i >= 0; i-- {
		errs = append(errs, k.processes[i].Kill(ctx))
	}
	return errors.Join(errs...)
}
