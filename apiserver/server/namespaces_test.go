// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/metadata"
)

// cluster is what the informer has seen of Namespaces, and what there is.
type cluster struct {
	*namespaces
	seen cache.Indexer

	mu    sync.Mutex
	there map[string]*corev1.Namespace
	reads int
	// read, if set, is called once, in a live read that has its answer.
	read func()
}

func newCluster(reads int) *cluster {
	c := &cluster{seen: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{}), there: map[string]*corev1.Namespace{}}
	c.namespaces = &namespaces{
		system: "mesh-system",
		lister: corelisters.NewNamespaceLister(c.seen),
		live:   c.live,
		limit:  rate.NewLimiter(0, reads),
		// A test waits for what has to come, not for the time to be over.
		patience: time.Minute,
		reads:    map[string]*liveRead{},
	}
	return c
}

func (c *cluster) live(_ context.Context, name string) (*corev1.Namespace, error) {
	c.mu.Lock()
	c.reads++
	found, read := c.there[name], c.read
	c.read = nil
	c.mu.Unlock()
	if read != nil {
		read()
	}
	if found == nil {
		return nil, apierrors.NewNotFound(corev1.Resource("namespaces"), name)
	}
	return found, nil
}

func (c *cluster) make(name string, labels map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.there[name] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// see brings a namespace to the informer.
func (c *cluster) see(t *testing.T, name string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.seen.Add(c.there[name]); err != nil {
		t.Error(err)
	}
}

var meshed = map[string]string{metadata.InjectLabel: metadata.InjectEnabled}

func TestNamesThatAreNotThereCostFewLiveReads(t *testing.T) {
	c := newCluster(3)
	c.patience = namespacePatience // who finds no read left waits for as long
	c.make("old", meshed)
	c.see(t, "old")
	c.make("new", meshed)
	if labels, err := c.labels(t.Context(), "new", nil); err != nil || labels[metadata.InjectLabel] == "" {
		t.Errorf("a namespace that the informer has not seen: %v, %v", labels, err)
	}
	var asking sync.WaitGroup
	for range 100 {
		asking.Go(func() {
			if _, err := c.labels(t.Context(), "none", nil); err == nil {
				t.Error("a namespace that is not there has labels")
			}
		})
	}
	asking.Wait()
	if c.reads > 3 {
		t.Errorf("%d live reads, want 3 at most", c.reads)
	}
	for _, name := range []string{"", "No-Name", strings.Repeat("x", 64), "../secrets"} {
		if _, err := c.labels(t.Context(), name, nil); err == nil {
			t.Errorf("%q has labels", name)
		}
	}
	if labels, err := c.labels(t.Context(), "old", nil); err != nil || labels[metadata.InjectLabel] == "" {
		t.Errorf("beyond the limit, a namespace that the informer has seen: %v, %v", labels, err)
	}
}

func TestOneAnswerForAllThatTakesNoSuchPod(t *testing.T) {
	c := newCluster(100)
	c.make("plain", map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	c.see(t, "plain")
	c.make("kube-system", nil)
	c.see(t, "kube-system")
	enabled := map[string]string{metadata.InjectLabel: metadata.InjectEnabled}
	disabled := map[string]string{metadata.InjectLabel: metadata.InjectDisabled}
	answer := func(name string, pod map[string]string) string {
		_, err := c.labels(t.Context(), name, pod)
		if err == nil {
			return "labels"
		}
		return strings.ReplaceAll(err.Error(), name, "NAME")
	}
	want := answer("none", nil)
	for name, got := range map[string]string{
		"not of the mesh":        answer("plain", nil),
		"a pod that wants none":  answer("plain", disabled),
		"excluded":               answer("kube-system", enabled),
		"the mesh's own":         answer("mesh-system", enabled),
		"absent, and pod wants":  answer("none", enabled),
		"what is no name at all": answer("NO", nil),
	} {
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := answer("plain", enabled); got != "labels" {
		t.Errorf("a pod that wants to be in the mesh: got %q", got)
	}
}

// The name has been asked for before it was there.
func TestPodRightAfterItsNamespaceIsTakenThoughItsNameWasAbsentJustNow(t *testing.T) {
	c := newCluster(100)
	if _, err := c.labels(t.Context(), "new", nil); err == nil {
		t.Fatal("it is there")
	}
	c.make("new", meshed)
	if _, err := c.labels(t.Context(), "new", nil); err != nil {
		t.Errorf("without the informer: %v", err)
	}

	c = newCluster(1) // no live read is left
	if _, err := c.labels(t.Context(), "new", nil); err == nil {
		t.Fatal("it is there")
	}
	c.make("new", meshed)
	time.AfterFunc(5*namespaceLook, func() { c.see(t, "new") })
	if _, err := c.labels(t.Context(), "new", nil); err != nil {
		t.Errorf("with the informer alone: %v", err)
	}
}

// What a read finds that began before the question came may have changed since.
func TestNamespaceThatIsMadeDuringAnothersReadIsFound(t *testing.T) {
	c := newCluster(100)
	reading, made := make(chan struct{}), make(chan struct{})
	c.read = func() {
		close(reading)
		<-made
	}
	first := make(chan error)
	go func() {
		_, err := c.labels(t.Context(), "new", nil)
		first <- err
	}()
	<-reading
	second := make(chan error)
	go func() {
		_, err := c.labels(t.Context(), "new", nil)
		second <- err
	}()
	c.make("new", meshed)
	// The second has asked by then, or the test shows less.
	time.AfterFunc(5*namespaceLook, func() { close(made) })
	if err := <-first; err == nil {
		t.Error("the first found it before it was there")
	}
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
}

func TestErrorOfALiveReadIsNoAbsence(t *testing.T) {
	c := newCluster(100)
	c.make("new", meshed)
	away := true
	live := c.namespaces.live
	c.namespaces.live = func(ctx context.Context, name string) (*corev1.Namespace, error) {
		if away {
			return nil, errors.New("away")
		}
		return live(ctx, name)
	}
	if _, err := c.labels(t.Context(), "new", nil); err == nil || !strings.Contains(err.Error(), "away") {
		t.Errorf("got %v, want the error", err)
	}
	away = false
	if _, err := c.labels(t.Context(), "new", nil); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}
