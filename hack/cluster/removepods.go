// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// runRemovePods is the command `remove-pods SOCKET`: it removes every pod of
// the container runtime that listens there, their network namespaces included.
func runRemovePods() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: remove-pods SOCKET")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := removePods(ctx, os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "remove pods: %v\n", err)
		os.Exit(1)
	}
}

func removePods(ctx context.Context, socket string) (err error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dial %s: %w", socket, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	runtime := cri.NewRuntimeServiceClient(conn)

	pods, err := runtime.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, pod := range pods.Items {
		group.Go(func() error {
			// Stopping frees the pod's addresses; removing alone would not.
			if _, err := runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
				return fmt.Errorf("stop pod %s/%s: %w", pod.Metadata.Namespace, pod.Metadata.Name, err)
			}
			if _, err := runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
				return fmt.Errorf("remove pod %s/%s: %w", pod.Metadata.Namespace, pod.Metadata.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
