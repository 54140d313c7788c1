// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/integration/harness"
)

// TestServiceHasAnEventOfWhatProxiesDidNotCarry: by what a proxy pushes, as Envoy
// does, with one Event however often, and a count; a proxy is not believed about a
// Service that its namespace does not see.
func TestServiceHasAnEventOfWhatProxiesDidNotCarry(t *testing.T) {
	s, hidden := newShop(t), newShop(t)
	patch := []byte(`{"metadata":{"annotations":{"mesh.openservicemesh.io/visibility":"Namespace"}}}`)
	if _, err := host.CoreV1().Namespaces().Patch(t.Context(), hidden.namespace, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	buyer := connect(t, s.atBuyer, idOf(s.buyer))
	buyer.subscribe(listenerType, nil, "*")
	await.Eventually(t, soon, "the listener of the one", buyer.has(listenerType, s.listen))
	await.Eventually(t, soon, "no listener of the other", func(ctx context.Context) error {
		if buyer.has(listenerType, hidden.listen)(ctx) == nil {
			return fmt.Errorf("%s is still there", hidden.listen)
		}
		return nil
	})

	const notHTTP = "http.out/%s/bookstore_14001.downstream_cx_protocol_error"
	pushCount(t, s.atBuyer, fmt.Sprintf(notHTTP, hidden.namespace), math.MaxInt64)
	for range 3 {
		pushCount(t, s.atBuyer, fmt.Sprintf(notHTTP, s.namespace), 2)
	}
	// The port declares HTTP, so nothing is detected there.
	pushCount(t, s.atBuyer, "listener.out/"+s.namespace+"/bookstore_14001.downstream_listener_filter_remote_close", 2)

	await.Eventually(t, soon, "an Event on the Service", func(ctx context.Context) error {
		notes, err := notesAbout(ctx, s.namespace)
		if err != nil {
			return err
		}
		if len(notes) != 1 || !strings.HasPrefix(notes[0], "NotHTTP port 14001 is declared as HTTP") || !strings.Contains(notes[0], "namespace "+s.namespace) {
			return fmt.Errorf("Events about the Service: %q", notes)
		}
		return nil
	})
	await.Eventually(t, soon, "the count", shows(fmt.Sprintf(`mesh_service_mishaps_total{namespace=%q,port="14001",reason="NotHTTP",service="bookstore"} 6`, s.namespace)))
	if notes, err := notesAbout(t.Context(), hidden.namespace); err != nil || len(notes) > 0 {
		t.Errorf("about the Service that the proxy does not see: %q, %v, want no Event", notes, err)
	}
}

// notesAbout gives reason and note of the Events about the Services of a namespace.
func notesAbout(ctx context.Context, namespace string) ([]string, error) {
	events, err := host.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var notes []string
	for i := range events.Items {
		if event := &events.Items[i]; event.Regarding.Kind == "Service" {
			notes = append(notes, event.Reason+" "+event.Note)
		}
	}
	return notes, nil
}

// pushCount pushes a counter with a pod's certificate, as its Envoy does.
func pushCount(t *testing.T, certificate tls.Certificate, name string, n int64) {
	t.Helper()
	roots, _ := meshRoots(t)
	connection, err := grpc.NewClient(server.Address+":15012", grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: roots, ServerName: harness.ServerName, MinVersion: tls.VersionTLS13,
	})))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, err = collector.NewMetricsServiceClient(connection).Export(t.Context(), &collector.ExportMetricsServiceRequest{
		ResourceMetrics: []*metrics.ResourceMetrics{{ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: []*metrics.Metric{{
			Name: name,
			Data: &metrics.Metric_Sum{Sum: &metrics.Sum{
				AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA,
				DataPoints:             []*metrics.NumberDataPoint{{Value: &metrics.NumberDataPoint_AsInt{AsInt: n}}},
			}},
		}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}
