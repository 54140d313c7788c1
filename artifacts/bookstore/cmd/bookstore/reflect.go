// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// seen is what a server saw of a request.
type seen struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Host    string      `json:"host"`
	Remote  string      `json:"remote"`
	Headers http.Header `json:"headers"`
}

// newReflectCommand serves every HTTP request with what it saw of it, and on
// another port gRPC's health and reflection services.
func newReflectCommand() *cobra.Command {
	var listen, listenGRPC string
	var delay time.Duration
	cmd := &cobra.Command{
		Use:   "reflect",
		Short: "Serve HTTP, answering every request with what was seen of it, and gRPC health and reflection",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			after(ctx, delay)
			ended := make(chan error)
			go func() { ended <- serveHTTP(ctx, listen, http.HandlerFunc(reflect)) }()
			go func() { ended <- serveGRPC(ctx, listenGRPC) }()
			first := <-ended
			cancel()
			return errors.Join(first, <-ended)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":8080", "address to serve HTTP on")
	cmd.Flags().StringVar(&listenGRPC, "grpc", ":8081", "address to serve gRPC on")
	cmd.Flags().DurationVar(&delay, "after", 0, "serve this long after the start")
	return cmd
}

func reflect(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, "", seen{Method: r.Method, Path: r.URL.Path, Host: r.Host, Remote: r.RemoteAddr, Headers: r.Header})
}

func serveGRPC(ctx context.Context, listen string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := grpc.NewServer()
	healthv1.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	defer context.AfterFunc(ctx, server.Stop)()
	return server.Serve(listener)
}

// newGRPCCommand makes one call of the health service and prints its code.
func newGRPCCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:       "grpc ADDRESS Check|List",
		Short:     "Make one call of grpc.health.v1.Health and print its status code",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"Check", "List"},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			conn, err := grpc.NewClient(args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				return err
			}
			defer conn.Close()
			client := healthv1.NewHealthClient(conn)
			switch args[1] {
			case "Check":
				_, err = client.Check(ctx, &healthv1.HealthCheckRequest{})
			case "List":
				_, err = client.List(ctx, &healthv1.HealthListRequest{})
			default:
				return fmt.Errorf("method %q: want Check or List", args[1])
			}
			fmt.Println(status.Code(err))
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "longest wait for the answer")
	return cmd
}
