// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
	"github.com/openservicemesh/mesh-apiserver/apiserver/etcd"
)

// MeshOptions are the flags that an ordinary API server does not have.
type MeshOptions struct {
	// SystemNamespace holds the server, its Secrets and the administrators' policies.
	SystemNamespace string
	// Replica names this process among the replicas of the server. One that comes back
	// under the same name goes on leading; no two that run together share one.
	Replica string
	// DataDir is the directory of the embedded etcd and of its lock.
	DataDir string
	// EtcdQuotaBytes bounds the database file of the embedded etcd.
	EtcdQuotaBytes int64
	// EtcdMaintenance is what is done to the embedded etcd while it runs.
	EtcdMaintenance etcd.Maintenance
	// EmbeddedEtcd is true if no --etcd-servers were given. Complete sets it.
	EmbeddedEtcd bool
	// WebhookPort, XDSPort and MetricsPort are TCP ports; MetricsPort 0 means none.
	WebhookPort, XDSPort, MetricsPort int
	// WebhookClientCAFile, if set, has the authorities by which callers of the webhook
	// are known, PEM; WebhookClientNames are those of them that may call, all if empty.
	WebhookClientCAFile string
	WebhookClientNames  []string
	// Image is the image of this program, which injected pods start from, and
	// ProxyImage is Envoy's, where MeshConfig names none.
	Image, ProxyImage string
	// ClusterDomain is the suffix of Services' DNS names.
	ClusterDomain string
	// TrustDomain is the one that the MeshConfig is made with.
	TrustDomain string
	// RootPublishFor is how long a next root is published before it signs.
	RootPublishFor time.Duration
}

func newMeshOptions() *MeshOptions {
	o := &MeshOptions{
		SystemNamespace: "mesh-system",
		Replica:         replica(),
		DataDir:         "/var/lib/mesh-apiserver",
		EtcdQuotaBytes:  etcd.DefaultQuotaBytes,
		EtcdMaintenance: etcd.Maintenance{SnapshotInterval: time.Hour, SnapshotsKept: 6},
		WebhookPort:     9443,
		XDSPort:         sidecar.PortXDS,
		MetricsPort:     9090,
		Image:           "docker.io/local/mesh-apiserver:dev",
		ProxyImage:      "docker.io/local/envoy:1.40.0",
		ClusterDomain:   "cluster.local",
		TrustDomain:     "cluster.local",
		RootPublishFor:  root.DefaultPublishFor,
	}
	if namespace := os.Getenv("POD_NAMESPACE"); namespace != "" {
		o.SystemNamespace = namespace
	}
	return o
}

// replica is the name of the pod, which a StatefulSet gives to one process at a time;
// elsewhere a name that is used once.
func replica() string {
	if pod := os.Getenv("POD_NAME"); pod != "" {
		return pod
	}
	host, err := os.Hostname()
	if err != nil {
		host = "mesh-apiserver"
	}
	return host + "_" + string(uuid.NewUUID())
}

func (o *MeshOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.SystemNamespace, "system-namespace", o.SystemNamespace,
		"The namespace of the server, its Service and its Secrets. The default is $POD_NAMESPACE, else mesh-system.")
	fs.StringVar(&o.DataDir, "data-dir", o.DataDir,
		"Where the embedded etcd keeps its data. One server at a time may use it.")
	fs.Int64Var(&o.EtcdQuotaBytes, "etcd-quota-bytes", o.EtcdQuotaBytes,
		"The largest size of the embedded etcd's database file, in bytes. Beyond it writes are refused.")
	fs.StringVar(&o.EtcdMaintenance.SnapshotDir, "etcd-snapshot-dir", o.EtcdMaintenance.SnapshotDir,
		"Where snapshots of the embedded etcd go. The default is snapshots in --data-dir; another volume outlives that one.")
	fs.DurationVar(&o.EtcdMaintenance.SnapshotInterval, "etcd-snapshot-interval", o.EtcdMaintenance.SnapshotInterval,
		"The time from one snapshot of the embedded etcd to the next, at least 1m. 0 switches them off.")
	fs.IntVar(&o.EtcdMaintenance.SnapshotsKept, "etcd-snapshots-kept", o.EtcdMaintenance.SnapshotsKept,
		"How many snapshots of the embedded etcd stay. The oldest are removed.")
	fs.IntVar(&o.WebhookPort, "webhook-port", o.WebhookPort,
		"The port of the admission webhook that puts proxies into pods (HTTPS).")
	fs.StringVar(&o.WebhookClientCAFile, "webhook-client-ca-file", o.WebhookClientCAFile,
		"If set, --webhook-port takes callers alone that show a client certificate of one of the authorities in this file. "+
			"kube-apiserver shows one only when its AdmissionConfiguration gives it a kubeconfig for this webhook. The file is read again when it changes.")
	fs.StringSliceVar(&o.WebhookClientNames, "webhook-client-names", o.WebhookClientNames,
		"The common or DNS names of client certificates that --webhook-client-ca-file lets in. If empty, all that verify.")
	fs.IntVar(&o.XDSPort, "xds-port", o.XDSPort,
		"The port that proxies take their configuration from (delta ADS over mutual TLS).")
	fs.IntVar(&o.MetricsPort, "metrics-port", o.MetricsPort,
		"The port for Prometheus (plain HTTP, /metrics only; its labels name kinds, verbs and results, never objects). "+
			"0 closes it; /metrics on --secure-port stays, behind authorization.")
	fs.StringVar(&o.Image, "image", o.Image,
		"The image of mesh-apiserver that the init container of injected pods runs.")
	fs.StringVar(&o.ProxyImage, "proxy-image", o.ProxyImage,
		"The image of Envoy in injected pods, where MeshConfig's spec.sidecar.image is empty.")
	fs.StringVar(&o.ClusterDomain, "cluster-domain", o.ClusterDomain,
		"The suffix of the DNS names of the cluster's Services.")
	fs.StringVar(&o.TrustDomain, "trust-domain", o.TrustDomain,
		"The SPIFFE trust domain of a MeshConfig that the server makes. One that is there keeps its own: it cannot be changed.")
	fs.DurationVar(&o.RootPublishFor, "root-publish-for", o.RootPublishFor,
		"How long the next root is in the trust bundle before it signs. For tests: kubelets need minutes to write it into pods.")
	_ = fs.MarkHidden("root-publish-for") // it is there
}

// validate looks at the ports of all listeners; securePort is the API's.
func (o *MeshOptions) validate(securePort int) []error {
	var errs []error
	if problems := validation.IsDNS1123Label(o.SystemNamespace); len(problems) > 0 {
		errs = append(errs, fmt.Errorf("--system-namespace %q is not a namespace name: %s", o.SystemNamespace, problems[0]))
	}
	if o.EmbeddedEtcd && o.DataDir == "" {
		errs = append(errs, fmt.Errorf("--data-dir must name a directory, or --etcd-servers an etcd"))
	}
	if o.EtcdQuotaBytes < 16<<20 {
		errs = append(errs, fmt.Errorf("--etcd-quota-bytes %d is too small: at least 16777216 (16 MiB) are needed", o.EtcdQuotaBytes))
	}
	if interval := o.EtcdMaintenance.SnapshotInterval; interval != 0 && interval < time.Minute {
		errs = append(errs, fmt.Errorf("--etcd-snapshot-interval %s is too short: at least 1m, or 0 for none", interval))
	}
	if o.EtcdMaintenance.SnapshotsKept < 1 {
		errs = append(errs, fmt.Errorf("--etcd-snapshots-kept %d: at least 1 stays; --etcd-snapshot-interval=0 switches snapshots off", o.EtcdMaintenance.SnapshotsKept))
	}
	if o.RootPublishFor <= 0 {
		errs = append(errs, fmt.Errorf("--root-publish-for %s is not positive", o.RootPublishFor))
	}
	if len(o.WebhookClientNames) > 0 && o.WebhookClientCAFile == "" {
		errs = append(errs, fmt.Errorf("--webhook-client-names needs --webhook-client-ca-file, which demands certificates"))
	}
	if o.Image == "" || o.ProxyImage == "" {
		errs = append(errs, fmt.Errorf("--image and --proxy-image must name images: injected pods run them"))
	}
	if problems := validation.IsDNS1123Subdomain(o.ClusterDomain); len(problems) > 0 {
		errs = append(errs, fmt.Errorf("--cluster-domain %q is not a DNS name: %s", o.ClusterDomain, problems[0]))
	}
	if problems := validation.IsDNS1123Subdomain(o.TrustDomain); len(problems) > 0 {
		errs = append(errs, fmt.Errorf("--trust-domain %q is not a DNS name: %s", o.TrustDomain, problems[0]))
	}
	return append(errs, o.validatePorts(securePort)...)
}

func (o *MeshOptions) validatePorts(securePort int) []error {
	ports := []struct {
		flag   string
		number int
	}{
		{"--secure-port", securePort},
		{"--webhook-port", o.WebhookPort},
		{"--xds-port", o.XDSPort},
		{"--metrics-port", o.MetricsPort},
	}
	var errs []error
	usedBy := map[int]string{}
	for _, port := range ports {
		if port.flag == "--metrics-port" && port.number == 0 {
			continue
		}
		if problems := validation.IsValidPortNum(port.number); len(problems) > 0 {
			errs = append(errs, fmt.Errorf("%s %d: %s", port.flag, port.number, problems[0]))
		}
		if other, taken := usedBy[port.number]; taken {
			errs = append(errs, fmt.Errorf("%s and %s are both %d; give each a port of its own", other, port.flag, port.number))
		}
		usedBy[port.number] = port.flag
	}
	return errs
}
