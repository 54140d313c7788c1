// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// How often the proxy is asked whether it is ready: often while a pod starts as
// it should, seldom once it does not.
const (
	quickPoll, slowPoll = 10 * time.Millisecond, 250 * time.Millisecond
	quickFor            = 5 * time.Second
)

// How long a wait is silent, and the longest between two lines about it.
const (
	firstLine   = 2 * time.Second
	longestLine = time.Minute
)

// awaitProxy waits until the proxy has its configuration, however long that
// takes: the application must not start before. Deleting the pod ends it.
func awaitProxy(ctx context.Context, socket string, proxyUID int) error {
	start, said, pause := time.Now(), time.Now(), firstLine
	for {
		err := ready(ctx, socket)
		if err == nil {
			say("the proxy has its configuration after %s", time.Since(start).Round(time.Millisecond))
			return nil
		}
		if time.Since(said) > pause {
			report(time.Since(start), err, proxyUID)
			said, pause = time.Now(), min(2*pause, longestLine)
		}
		poll := quickPoll
		if time.Since(start) > quickFor {
			poll = slowPoll
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ended before the proxy was ready: %w", err)
		case <-time.After(poll):
		}
	}
}

// errNotReady is a proxy that runs, and waits for what its words say.
type errNotReady struct{ state string }

func (e errNotReady) Error() string {
	switch e.state {
	case "PRE_INITIALIZING":
		return "it has not heard from the control plane (PRE_INITIALIZING): is that up, and does its name resolve?"
	case "INITIALIZING":
		return "it has not got all that it asked the control plane for (INITIALIZING)"
	}
	return "it says " + e.state
}

func ready(ctx context.Context, socket string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	status, body, err := ask(ctx, socket, "GET", "/ready")
	if err == nil && status != 200 {
		return errNotReady{strings.TrimSpace(body)}
	}
	return err
}

// report says why the application does not start yet. A proxy without an inotify
// instance ends at once, with words that name neither.
func report(after time.Duration, err error, proxyUID int) {
	if notReady := (errNotReady{}); !errors.As(err, &notReady) {
		err = fmt.Errorf("it does not run: %w", err)
		if none := takeInotifyInstance(proxyUID); none != nil {
			err = none
		}
	}
	say("after %s the proxy is not ready, and the application waits: %v", after.Round(time.Second), err)
}
