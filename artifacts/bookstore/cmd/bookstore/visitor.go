// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// newVisitorCommand is bookbuyer and bookthief: the same requests, under two
// service accounts. It says so each time the answer changes, and every ten
// seconds how many of each it had.
func newVisitorCommand() *cobra.Command {
	var url string
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "visitor",
		Short: "Ask for books, again and again, and print what comes back",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := &http.Client{Timeout: 5 * time.Second}
			counts, last := map[string]int{}, ""
			ask, report := time.NewTicker(interval), time.NewTicker(10*time.Second)
			defer ask.Stop()
			defer report.Stop()
			for {
				select {
				case <-cmd.Context().Done():
					return nil
				case <-report.C:
					fmt.Printf("%s so far: %v\n", now(), counts)
				case <-ask.C:
					got := outcome(cmd.Context(), client, url)
					counts[got]++
					if got != last {
						fmt.Printf("%s GET %s: %s\n", now(), url, got)
						last = got
					}
				}
			}
		},
	}
	cmd.Flags().StringVar(&url, "url", "http://bookstore.bookstore:14001/books/1", "what to ask for")
	cmd.Flags().DurationVar(&interval, "interval", 200*time.Millisecond, "time between two requests")
	return cmd
}

// newGetCommand makes one request and prints what a person wants to see of it.
func newGetCommand() *cobra.Command {
	var method, host string
	var timeout time.Duration
	var headers []string
	var insecure bool
	cmd := &cobra.Command{
		Use:   "get URL",
		Short: "Make one HTTP request and print status and body",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, method, args[0], nil)
			if err != nil {
				return err
			}
			for _, h := range headers {
				if err := addHeader(req, h); err != nil {
					return err
				}
			}
			req.Host = host
			// A test asks whether something answers, not who.
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure}}}
			resp, err := client.Do(req)
			if err != nil {
				fmt.Printf("no answer: %v\n", rootCause(err))
				return nil
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
			fmt.Printf("%s %s\n%s\n", resp.Status, resp.Header.Get("Bookstore-Version"), body)
			return nil
		},
	}
	cmd.Flags().StringVar(&method, "method", http.MethodGet, "request method")
	cmd.Flags().StringVar(&host, "host", "", "the Host header, if it is not the URL's")
	cmd.Flags().BoolVar(&insecure, "insecure", false, "do not verify an https server's certificate")
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Second, "longest wait for the answer")
	cmd.Flags().StringArrayVar(&headers, "header", nil, "`Name: value`, may be repeated")
	return cmd
}

func addHeader(req *http.Request, line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("--header %q: want Name: value", line)
	}
	req.Header.Add(name, strings.TrimSpace(value))
	return nil
}

// outcome makes one request and sums up what became of it: "200", "403", or
// the reason why there was no answer.
func outcome(ctx context.Context, client *http.Client, url string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return rootCause(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return fmt.Sprint(resp.StatusCode)
}

// rootCause is what the network said: the text of a DNS error, or of the
// innermost error.
func rootCause(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Error()
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

func now() string { return time.Now().UTC().Format("15:04:05.000") }
