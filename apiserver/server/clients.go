// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	aggregator "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/all"
	"github.com/openservicemesh/mesh-apiserver/generated/clientset/versioned"
	"github.com/openservicemesh/mesh-apiserver/generated/informers/externalversions"
)

// Requests to the host cluster in a second, and at once. Informers need few;
// the burst is for the start.
const (
	hostQPS   = 50
	hostBurst = 100
)

// clients reach the two APIs that the server itself uses: the host cluster's,
// and over loopback its own.
type clients struct {
	hostConfig    *rest.Config
	host          kubernetes.Interface
	aggregator    aggregator.Interface
	hostInformers informers.SharedInformerFactory
	registrations *controller.Registrations
	events        events.EventBroadcaster

	mesh          versioned.Interface
	meshInformers externalversions.SharedInformerFactory
}

func newClients(config *genericapiserver.RecommendedConfig) (*clients, error) {
	c := &clients{hostConfig: rest.CopyConfig(config.ClientConfig)}
	c.hostConfig.QPS, c.hostConfig.Burst = hostQPS, hostBurst
	// Each event of a watch would be compressed by kube-apiserver and read back
	// here, for bytes that a cluster's own network does not miss.
	c.hostConfig.DisableCompression = true

	var err error
	// kube-aggregator's kinds have no protobuf client; the host's have.
	if c.aggregator, err = aggregator.NewForConfig(c.hostConfig); err != nil {
		return nil, fmt.Errorf("make the client of APIServices: %w", err)
	}
	if c.host, err = kubernetes.NewForConfig(inProtobuf(c.hostConfig)); err != nil {
		return nil, fmt.Errorf("make the client of the host cluster: %w", err)
	}
	loopback := inProtobuf(config.LoopbackClientConfig)
	loopback.QPS = -1
	if c.mesh, err = versioned.NewForConfig(loopback); err != nil {
		return nil, fmt.Errorf("make the loopback client: %w", err)
	}
	if c.registrations, err = controller.NewRegistrations(c.host, c.aggregator); err != nil {
		return nil, err
	}
	c.hostInformers = informers.NewSharedInformerFactoryWithOptions(c.host, 0, informers.WithTransform(controller.Trim))
	c.meshInformers = externalversions.NewSharedInformerFactoryWithOptions(c.mesh, 0, externalversions.WithTransform(controller.Trim))
	for _, source := range all.Sources {
		if !source.Stored {
			continue
		}
		informer := source.Informer(kinds.Informers{Host: c.hostInformers, Mesh: c.meshInformers})
		if err := informer.SetWatchErrorHandlerWithContext(logWatchErrorUnlessEnding); err != nil {
			return nil, fmt.Errorf("prepare the informers: %w", err)
		}
	}
	c.events = events.NewBroadcaster(eventSink{&events.EventSinkImpl{Interface: c.host.EventsV1()}})
	return c, nil
}

// logWatchErrorUnlessEnding: at shutdown the API ends the watches of its own
// informers a moment before these end, and they would call that an error.
func logWatchErrorUnlessEnding(ctx context.Context, r *cache.Reflector, err error) {
	if ctx.Err() == nil {
		cache.DefaultWatchErrorHandler(ctx, r, err)
	}
}

func inProtobuf(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return config
}

// startInformers starts what has been asked of both factories until now.
func (c *clients) startInformers(ctx context.Context) {
	for _, informer := range c.registrations.All() {
		go informer.RunWithContext(ctx)
	}
	c.hostInformers.StartWithContext(ctx)
	c.meshInformers.StartWithContext(ctx)
}

// awaitLists waits for the first lists of all informers.
func (c *clients) awaitLists(ctx context.Context) error {
	c.hostInformers.WaitForCacheSync(ctx.Done())
	c.meshInformers.WaitForCacheSync(ctx.Done())
	return ctx.Err()
}

// listed tells which first list is missing.
func (c *clients) listed() error {
	now := make(chan struct{})
	close(now)
	for kind, synced := range c.hostInformers.WaitForCacheSync(now) {
		if !synced {
			return fmt.Errorf("%s of the host cluster are not listed yet", kind)
		}
	}
	for kind, synced := range c.meshInformers.WaitForCacheSync(now) {
		if !synced {
			return fmt.Errorf("%s are not listed yet", kind)
		}
	}
	return nil
}
