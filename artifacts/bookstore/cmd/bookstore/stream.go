// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// newStreamCommand exchanges messages on one gRPC stream of the server's
// reflection service for as long as it lives, and prints a JSON line at every
// change. An outcome is "answered", or "ended: CODE after N answers".
func newStreamCommand() *cobra.Command {
	var every, length time.Duration
	cmd := &cobra.Command{
		Use:   "stream ADDRESS",
		Short: "Print, as JSON lines, when one gRPC stream is answered and when it ends",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), length)
			defer cancel()
			out := json.NewEncoder(os.Stdout)
			report := func(outcome string) error {
				return out.Encode(transition{At: time.Now().UnixNano(), Connection: "old", Outcome: outcome})
			}
			answers, err := converse(ctx, args[0], every, func() error { return report("answered") })
			if err != nil && ctx.Err() == nil {
				return report(fmt.Sprintf("ended: %s after %d answers", status.Code(err), answers))
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&every, "every", 100*time.Millisecond, "time between an answer and the next message")
	cmd.Flags().DurationVar(&length, "for", time.Minute, "stop after this long")
	return cmd
}

// converse calls first at the first answer, and counts all.
func converse(ctx context.Context, address string, every time.Duration, first func() error) (answers int, err error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx, grpc.WaitForReady(true))
	if err != nil {
		return 0, err
	}
	question := &reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	}
	for ; ; answers++ {
		// An error of Send is io.EOF; Recv has the status.
		_ = stream.Send(question)
		if _, err := stream.Recv(); err != nil {
			return answers, err
		}
		if answers == 0 {
			if err := first(); err != nil {
				return answers, err
			}
		}
		select {
		case <-ctx.Done():
			return answers, ctx.Err()
		case <-time.After(every):
		}
	}
}
