// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"testing"
)

func TestAPartThatFailsTakesTheServerWithIt(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	parts := components{fail: func(err error) { fail(err) }}
	broken := errors.New("port is gone")
	parts.add(everyReplica, "xDS", func(context.Context) error { return broken })
	parts.add(everyReplica, "webhook", func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
	parts.start(ctx, neverLeads)
	parts.wait()
	if cause := context.Cause(ctx); !errors.Is(cause, broken) || cause.Error() != "xDS: port is gone" {
		t.Errorf("got %v, want the part's name and error", cause)
	}
}

func TestPartsThatEndWithTheServerAreNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	parts := components{fail: func(err error) { t.Errorf("called a failure: %v", err) }}
	parts.add(everyReplica, "informers", func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	parts.start(ctx, neverLeads)
	cancel()
	parts.wait()
}

// neverLeads is a replica beside another that leads.
func neverLeads(ctx context.Context, _ func(context.Context)) error {
	<-ctx.Done()
	return nil
}

func TestPartsOfTheLeaderRunInItsTermsAlone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	parts := components{fail: func(err error) { t.Errorf("called a failure: %v", err) }}
	began, ended := make(chan string, 10), make(chan string, 10)
	for on, name := range map[where]string{everyReplica: "webhook", leaderAlone: "statuses"} {
		parts.add(on, name, func(ctx context.Context) error {
			began <- name
			<-ctx.Done()
			ended <- name
			return ctx.Err()
		})
	}
	terms := make(chan context.Context)
	parts.start(ctx, func(_ context.Context, work func(context.Context)) error {
		for term := range terms {
			work(term)
		}
		return nil
	})
	if name := <-began; name != "webhook" {
		t.Fatalf("%s runs before this replica leads", name)
	}
	for range 2 {
		term, lose := context.WithCancel(ctx)
		terms <- term
		if name := <-began; name != "statuses" {
			t.Fatalf("%s begins with a term", name)
		}
		lose()
		if name := <-ended; name != "statuses" {
			t.Fatalf("%s ends with a term", name)
		}
	}
	close(terms)
	cancel()
	parts.wait()
	if name := <-ended; name != "webhook" {
		t.Errorf("%s ends with the server", name)
	}
}
