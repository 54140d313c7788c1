// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/sidecar"
)

// newIdentityCommand shows who a sidecar says it is, and which key agreement
// it has used with its callers.
func newIdentityCommand() *cobra.Command {
	var namespace, selector string
	var port int
	cmd := &cobra.Command{
		Use:   "identity",
		Short: "Show the certificate of a live sidecar and the curves it negotiated",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := hostConfig()
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Second)
			defer cancel()
			pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				return fmt.Errorf("list pods: %w", err)
			}
			if len(pods.Items) == 0 || pods.Items[0].Status.PodIP == "" {
				return fmt.Errorf("no pod with an address in namespace %s matches %s", namespace, selector)
			}
			pod := pods.Items[0]
			bundle, err := client.CertificatesV1().ClusterTrustBundles().Get(ctx, sidecar.TrustBundle, metav1.GetOptions{})
			if err != nil {
				return fmt.Errorf("get ClusterTrustBundle: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "pod            %s/%s\n", pod.Namespace, pod.Name)
			address := net.JoinHostPort(pod.Status.PodIP, fmt.Sprint(port))
			if err := showCertificate(ctx, cmd.OutOrStdout(), address, bundle.Spec.TrustBundle); err != nil {
				return err
			}
			return showCurves(ctx, cmd.OutOrStdout(), pod.Status.PodIP)
		},
	}
	cmd.Flags().StringVar(&namespace, "namespace", "bookstore", "namespace of the pod")
	cmd.Flags().StringVar(&selector, "selector", "app=bookstore", "label selector of the pod; the first match is taken")
	cmd.Flags().IntVar(&port, "port", 14001, "a port that the pod serves in the mesh")
	return cmd
}

// showCertificate shakes hands without a client certificate: in TLS 1.3 the
// server's own is seen, and verified, before the server refuses.
func showCertificate(ctx context.Context, out io.Writer, address, roots string) error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(roots)) {
		return fmt.Errorf("the ClusterTrustBundle holds no certificate")
	}
	var leaf *x509.Certificate
	dialer := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{sidecar.ALPNTCP},
		// The leaf has a SPIFFE ID and no DNS name, so the chain is verified below.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			intermediates := x509.NewCertPool()
			for _, c := range state.PeerCertificates[1:] {
				intermediates.AddCert(c)
			}
			leaf = state.PeerCertificates[0]
			_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: intermediates})
			return err
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("shake hands with %s: %w", address, err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	for _, uri := range leaf.URIs {
		fmt.Fprintf(out, "SPIFFE ID      %s\n", uri)
	}
	fmt.Fprintf(out, "issuer         %s (chain verified against ClusterTrustBundle %s)\n", leaf.Issuer, sidecar.TrustBundle)
	fmt.Fprintf(out, "expires        %s\n", leaf.NotAfter.UTC().Format(time.RFC3339))
	fmt.Fprintf(out, "this handshake %s, %s\n", tls.VersionName(state.Version), state.CurveID)
	return nil
}

// curveLine is Envoy's counter of handshakes by key agreement, in Prometheus'
// text format.
var curveLine = regexp.MustCompile(`^envoy_listener_ssl_curves\{.*envoy_ssl_curve="([^"]+)".*\} (\d+)$`)

// showCurves counts the key agreements of the handshakes with other sidecars,
// by the sidecar's own statistics.
func showCurves(ctx context.Context, out io.Writer, ip string) error {
	url := "http://" + net.JoinHostPort(ip, fmt.Sprint(sidecar.PortPrometheus)) + "/stats/prometheus"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("read the sidecar's statistics: %w", err)
	}
	defer resp.Body.Close()
	seen := false
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if m := curveLine.FindStringSubmatch(lines.Text()); m != nil {
			seen = true
			fmt.Fprintf(out, "handshakes     %s: %s, by the sidecar's own count\n", m[1], m[2])
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the sidecar's statistics: %w", err)
	}
	if !seen {
		return fmt.Errorf("the sidecar's statistics count no handshake by curve")
	}
	return nil
}
