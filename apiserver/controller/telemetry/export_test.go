// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"net"
	"testing"

	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// A proxy that pushes what is not UTF-8, or names that no proxy gives, is
// answered, and what it pushes next counts.
func TestExportToleratesUnusualBytes(t *testing.T) {
	server := New(Options{
		View: func(context.Context) (string, error) { return "view", nil },
		Audited: func(string) map[uint16]model.Audit {
			return map[uint16]model.Audit{8080: {AllowPolicies: []string{"shop/readers"}}}
		},
	})
	conn := serve(t, server)
	for name, want := range map[string]codes.Code{
		"http.in/8080.rbac.audit_allow.policy.shop/r\xff/0.shadow_allowed":   codes.Internal,
		"http.in/8080.rbac.audit_allow.policy.shop/é\x00\n/0.shadow_allowed": codes.OK,
		"http.in/8080.rbac.audit_allow.policy.shop/readers/0.shadow_allowed": codes.OK,
		"": codes.OK,
	} {
		err := conn.Invoke(t.Context(), "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", flush(name), &[]byte{}, grpc.ForceCodecV2(raw{}))
		if status.Code(err) != want {
			t.Errorf("%q is answered with %v, want %s", name, err, want)
		}
	}
	if got := server.Counts("shop/readers"); got != (Counts{Allowed: 1}) {
		t.Errorf("the counts are %+v, want the one that was pushed", got)
	}
}

// flush is an ExportMetricsServiceRequest with a delta of 1, of any name.
func flush(name string) *[]byte {
	field := func(number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	point := protowire.AppendFixed64(protowire.AppendTag(nil, 6, protowire.Fixed64Type), 1)
	sum := protowire.AppendVarint(protowire.AppendTag(field(1, point), 2, protowire.VarintType), uint64(metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA))
	out := field(1, field(2, field(2, append(field(1, []byte(name)), field(7, sum)...))))
	return &out
}

func serve(t *testing.T, server *Server) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	server.Register(g)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// raw sends bytes as they are.
type raw struct{}

var _ encoding.CodecV2 = raw{}

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func (raw) Name() string { return "proto" }
