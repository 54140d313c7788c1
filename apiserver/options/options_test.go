// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime"
	basecompatibility "k8s.io/component-base/compatibility"
)

// parse makes options of arguments as the command does.
func parse(t *testing.T, args ...string) *Options {
	t.Helper()
	o, err := NewOptions(basecompatibility.NewComponentGlobalsRegistry())
	if err != nil {
		t.Fatal(err)
	}
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	for _, set := range o.Flags().FlagSets {
		fs.AddFlagSet(set)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatalf("parse %v: %v", args, err)
	}
	if err := o.Complete(); err != nil {
		t.Fatalf("complete %v: %v", args, err)
	}
	return o
}

func TestDefaultsAreValidInACluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "198.19.0.1")
	t.Setenv("POD_NAMESPACE", "mesh-of-tests")
	o := parse(t)
	if err := o.Validate(); err != nil {
		t.Errorf("defaults are refused: %v", err)
	}
	if o.Mesh.SystemNamespace != "mesh-of-tests" {
		t.Errorf("got system namespace %q, want that of the pod", o.Mesh.SystemNamespace)
	}
	if got := o.Recommended.Etcd.DefaultStorageMediaType; got != runtime.ContentTypeProtobuf {
		t.Errorf("got storage media type %q, want protobuf", got)
	}
	if got := o.Server.ShutdownDelayDuration; got < shutdownDelay {
		t.Errorf("got shutdown delay %s, want at least %s", got, shutdownDelay)
	}
}

func TestEtcdIsEmbeddedUnlessServersAreNamed(t *testing.T) {
	embedded := parse(t, "--data-dir=/data")
	if got := embedded.Recommended.Etcd.StorageConfig.Transport.ServerList; !embedded.Mesh.EmbeddedEtcd || got[0] != "unix:///data/run/etcd.sock" {
		t.Errorf("got embedded=%t servers=%v, want the socket in the data directory", embedded.Mesh.EmbeddedEtcd, got)
	}
	external := parse(t, "--etcd-servers=https://192.0.2.1:2379")
	if got := external.Recommended.Etcd.StorageConfig.Transport.ServerList; external.Mesh.EmbeddedEtcd || got[0] != "https://192.0.2.1:2379" {
		t.Errorf("got embedded=%t servers=%v, want the server that was named", external.Mesh.EmbeddedEtcd, got)
	}
}

func TestKubeconfigServesDelegatedAuthToo(t *testing.T) {
	o := parse(t, "--kubeconfig=/host", "--authorization-kubeconfig=/other")
	if got := o.Recommended.Authentication.RemoteKubeConfigFile; got != "/host" {
		t.Errorf("got --authentication-kubeconfig %q, want that of --kubeconfig", got)
	}
	if got := o.Recommended.Authorization.RemoteKubeConfigFile; got != "/other" {
		t.Errorf("got --authorization-kubeconfig %q, want the one that was given", got)
	}
}

func TestBadFlagsAreRefusedInOneLine(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"namespace", []string{"--system-namespace=Mesh_System"}, `--system-namespace "Mesh_System" is not a namespace name`},
		{"ports that meet", []string{"--xds-port=9443"}, "--webhook-port and --xds-port are both 9443; give each a port of its own"},
		{"API port taken", []string{"--metrics-port=8443"}, "--secure-port and --metrics-port are both 8443"},
		{"port out of range", []string{"--xds-port=70000"}, "--xds-port 70000: must be between 1 and 65535"},
		{"only metrics may be closed", []string{"--webhook-port=0"}, "--webhook-port 0: must be between 1 and 65535"},
		{"quota", []string{"--etcd-quota-bytes=1"}, "--etcd-quota-bytes 1 is too small"},
		{"no image", []string{"--image="}, "--image and --proxy-image must name images"},
		{"trust domain", []string{"--trust-domain=mesh..example"}, `--trust-domain "mesh..example" is not a DNS name`},
		{"cluster domain", []string{"--cluster-domain=.local"}, `--cluster-domain ".local" is not a DNS name`},
		{"media type", []string{"--storage-media-type=text/plain"}, `--storage-media-type "text/plain" invalid`},
		{"kubeconfig", []string{"--kubeconfig=/nope"}, "--kubeconfig: stat /nope: no such file"},
		{"kubeconfig of one use", []string{"--authorization-kubeconfig=/nope"}, "--authorization-kubeconfig: stat /nope: no such file"},
		{"file of etcd's", []string{"--etcd-servers=https://192.0.2.1:2379", "--etcd-cafile=/nope"}, "--etcd-cafile: open /nope: no such file"},
		{"authorities of the webhook's callers", []string{"--webhook-client-ca-file=/nope"}, "--webhook-client-ca-file: open /nope: no such file"},
		{"names without authorities", []string{"--webhook-client-names=kube-apiserver"}, "--webhook-client-names needs --webhook-client-ca-file"},
		{"outside a cluster", nil, "--kubeconfig is needed outside a cluster"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", "198.19.0.1")
			if tt.args == nil {
				t.Setenv("KUBERNETES_SERVICE_HOST", "")
			}
			err := parse(t, tt.args...).Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, tt.want)
			}
		})
	}
}

func TestMetricsPortZeroClosesIt(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "198.19.0.1")
	if err := parse(t, "--metrics-port=0").Validate(); err != nil {
		t.Errorf("refused: %v", err)
	}
}

func TestServingCertificateCannotComeFromOutside(t *testing.T) {
	flags := parse(t).Flags()
	for name := range selfManaged {
		if flag := flags.FlagSet("serving").Lookup(name); flag != nil {
			t.Errorf("--%s is offered, but the server manages its serving certificate itself", name)
		}
	}
}

func TestVersionIsThatOfTheMesh(t *testing.T) {
	o := parse(t)
	info := stampedVersion{o.registry.EffectiveVersionFor(ComponentName)}.Info()
	if info.Major+"."+info.Minor != binaryVersion {
		t.Errorf("got version %s.%s, want %s", info.Major, info.Minor, binaryVersion)
	}
	if strings.Contains(info.GitVersion, "Format") {
		t.Errorf("got build version %q, want one of this module", info.GitVersion)
	}
}
