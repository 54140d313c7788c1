// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// runResolve is the command `resolve NAME SERVER...`: it asks each DNS server,
// an address without port, for NAME and fails unless all of them know it.
func runResolve() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: resolve NAME SERVER...")
		os.Exit(2)
	}
	for _, server := range os.Args[2:] {
		addresses, err := resolve(os.Args[1], server)
		if err != nil {
			fmt.Fprintf(os.Stderr, "resolve at %s: %v\n", server, err)
			os.Exit(1)
		}
		fmt.Println(strings.Join(addresses, " "))
	}
}

func resolve(name, server string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	resolver := net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, net.JoinHostPort(server, "53"))
		},
	}
	return resolver.LookupHost(ctx, name)
}
