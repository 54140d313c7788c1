// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chains

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/envoy"
)

// server does with a Store what the controller does, for one view of one TCP port.
type server struct {
	t     *testing.T
	store *Store

	mu          sync.Mutex
	generations envoy.Generations
	// admitted are the accounts that the port admits, nil while the view is not here.
	admitted []string
	// compiled counts.
	compiled int
}

const shared = "view"

func newServer(t *testing.T, client *clientv3.Client) *server {
	t.Helper()
	s := &server{t: t, store: New(client)}
	s.store.Follow(func(string) { go s.hear() })
	remembered, err := s.store.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.generations = remembered[shared]
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.store.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// admit is a change of the server's world; without accounts the view goes.
func (s *server) admit(accounts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.admitted
	s.admitted = accounts
	s.compile(before)
}

func (s *server) hear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	other := s.store.Take(s.t.Context(), shared)
	if s.admitted == nil {
		s.generations = other
		s.store.Keep(s.t.Context(), shared, other)
		return
	}
	s.generations = s.generations.Hear(other)
	s.compile(s.admitted)
}

// compile demands that a name never stays when access narrows.
func (s *server) compile(before []string) {
	s.compiled++
	if s.admitted == nil {
		s.generations = nil
		s.store.Keep(s.t.Context(), shared, nil)
		return
	}
	last := s.generations
	s.generations = envoy.NextGenerations(last, admitting(s.admitted...))
	narrower := slices.ContainsFunc(before, func(account string) bool { return !slices.Contains(s.admitted, account) })
	if narrower && s.generations[9090].Name == last[9090].Name {
		s.t.Errorf("%s admitted %v and keeps its name for %v", last[9090].Name, before, s.admitted)
	}
	s.store.Keep(s.t.Context(), shared, s.generations)
}

func (s *server) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generations[9090].Name
}

// awaitAgreement waits until all servers have one name, and nothing is left to say.
func awaitAgreement(t *testing.T, servers ...*server) string {
	t.Helper()
	var names []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		names = nil
		quiet := true
		for _, s := range servers {
			names = append(names, s.name())
			s.store.mu.Lock()
			if v := s.store.views[shared]; v != nil {
				quiet = quiet && !v.pending && !v.owed && v.base == v.known.revision
			}
			s.store.mu.Unlock()
		}
		if quiet && len(slices.Compact(names)) == 1 {
			return names[0]
		}
	}
	t.Fatalf("the names are %v", names)
	return ""
}

func TestServersThatBeganDifferentlyAgree(t *testing.T) {
	client := newClient(t)
	one, other := newServer(t, client), newServer(t, client)
	one.admit("a")
	other.admit("b")
	if one.name() == other.name() {
		t.Fatal("the names are the same from the start")
	}
	names := []string{one.name(), other.name()}
	one.admit("a", "b")
	other.admit("a", "b")
	if name := awaitAgreement(t, one, other); !slices.Contains(names, name) {
		t.Errorf("the name is %s, want one of %v", name, names)
	}
}

// One server has seen that access widened between, and has ended connections; the
// other has seen nothing.
func TestServerThatMissedAChangeTakesTheNameOfTheOther(t *testing.T) {
	client := newClient(t)
	one, other := newServer(t, client), newServer(t, client)
	other.admit("a")
	one.admit("a")
	first := one.name()
	one.admit("a", "b")
	one.admit("a")
	if name := awaitAgreement(t, one, other); name == first {
		t.Errorf("the name is still %s", name)
	}
	third := newServer(t, client)
	third.admit("a")
	awaitAgreement(t, one, other, third)
}

// A server that writes over what another has written in the meantime would lose it:
// the write is refused, and the server takes the other's name.
func TestTheLoserTakesWhatTheWinnerHasWritten(t *testing.T) {
	client := newClient(t)
	// It hears nothing by itself: what it learns is by its own write.
	loser := &server{t: t, store: New(client)}
	loser.store.Follow(func(string) { loser.hear() })
	if _, err := loser.store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	winner := newServer(t, client)
	winner.admit("b")
	winner.admit("a", "b")
	loser.admit("a")
	loser.admit("a", "b")
	awaitRecord(t, client)
	want := winner.name()
	if loser.name() == want {
		t.Fatal("the names are the same before the write")
	}
	if err := loser.store.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if loser.name() != want || winner.name() != want {
		t.Errorf("the loser has %s and the winner %s, want %s", loser.name(), winner.name(), want)
	}
}

func awaitRecord(t *testing.T, client *clientv3.Client) *clientv3.GetResponse {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		got, err := client.Get(t.Context(), prefix+shared)
		if err == nil && len(got.Kvs) == 1 {
			return got
		}
	}
	t.Fatal("there is no record")
	return nil
}

// A server that is behind has other access for a while; the two do not write against
// each other meanwhile.
func TestServerThatIsBehindDoesNotArgue(t *testing.T) {
	client := newClient(t)
	ahead, behind := newServer(t, client), newServer(t, client)
	for _, s := range []*server{ahead, behind} {
		s.admit("a")
	}
	ahead.admit("a", "b")
	behind.admit("c")
	behind.admit("c", "d")
	time.Sleep(500 * time.Millisecond)
	first := awaitRecord(t, client).Kvs[0].Version
	time.Sleep(time.Second)
	if now := awaitRecord(t, client).Kvs[0].Version; now != first || now > 6 {
		t.Errorf("the record was written %d times, then %d", first, now)
	}
	behind.admit("a", "b")
	awaitAgreement(t, ahead, behind)
}

// A server whose view goes for a moment, which the other does not notice.
func TestDeletedRecordComesBackWhereItsViewIsStillThere(t *testing.T) {
	client := newClient(t)
	one, other := newServer(t, client), newServer(t, client)
	for _, s := range []*server{one, other} {
		s.admit("a")
		s.admit("a", "b")
	}
	name := awaitAgreement(t, one, other)
	one.admit()
	one.admit("a", "b")
	if again := awaitAgreement(t, one, other); again != name {
		t.Logf("the name is %s, and was %s", again, name)
	}
	awaitRecord(t, client)
}

// Two servers see the same changes, each at its own pace and not all of them.
func TestServersAgreeWhateverTheySee(t *testing.T) {
	client := newClient(t)
	one, other := newServer(t, client), newServer(t, client)
	for seed := range uint64(15) {
		random := rand.New(rand.NewPCG(seed, 7))
		var worlds [][]string
		for range 12 {
			var accounts []string
			for _, account := range []string{"a", "b", "c"} {
				if random.IntN(2) == 0 {
					accounts = append(accounts, account)
				}
			}
			worlds = append(worlds, accounts)
		}
		worlds = append(worlds, []string{"a", fmt.Sprint(seed)})
		var running sync.WaitGroup
		for i, s := range []*server{one, other} {
			pace := rand.New(rand.NewPCG(seed, uint64(i)))
			running.Go(func() {
				for i, accounts := range worlds {
					if pace.IntN(3) == 0 && i < len(worlds)-1 {
						continue
					}
					time.Sleep(time.Duration(pace.IntN(10)) * time.Millisecond)
					s.admit(accounts...)
				}
			})
		}
		running.Wait()
		awaitAgreement(t, one, other)
	}
	t.Logf("compiled %d and %d times", one.compiled, other.compiled)
}

// A server that was away for longer than etcd keeps its history reads all anew.
func TestWhatCannotBeWatchedIsReadAgain(t *testing.T) {
	client := newClient(t)
	away := &server{t: t, store: New(client)}
	away.store.Follow(func(string) { away.hear() })
	if _, err := away.store.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	away.admit("a", "b")
	other := newServer(t, client)
	other.admit("b")
	other.admit("a", "b")
	// Compaction spares the last revision, so there is one more.
	written := awaitRecord(t, client)
	if _, err := client.Put(t.Context(), "/elsewhere", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Compact(t.Context(), written.Header.Revision+1); err != nil {
		t.Fatal(err)
	}
	if err := away.store.follow(t.Context()); err == nil || away.store.next != 0 {
		t.Fatalf("got %v, want that the watch fails", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- away.store.follow(ctx) }()
	for deadline := time.Now().Add(time.Minute); away.name() != other.name(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the name is %s, the other server's %s", away.name(), other.name())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
