// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package all lists the kinds of objects that are read, and of units that are made.
package all

import (
	"k8s.io/client-go/tools/cache"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/account"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/common"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/direct"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/headless"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/maker"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshconfig"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshroute"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/namespace"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/pod"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/proxy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/service"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/world"
)

// Kinds are in the order in which their units are made: each reads only what those
// before it have made.
var Kinds = []*engine.Kind{
	&common.Unit,
	&service.Unit,
	&service.Endpoints,
	&headless.Unit,
	&account.Unit,
	&direct.Unit,
	&workload.Unit,
	&proxy.Unit,
	&meshpolicy.Unit,
	&meshroute.Unit,
	&meshconfig.Unit,
	&service.Notices,
	&namespace.Unit,
	&pod.Unit,
	&pod.Scrape,
	&maker.Unit,
}

// Sources are the kinds of objects that are read. ServiceAccounts are beside them: those
// that come back are held (controller/returns.go); and so is what registers Services
// with kube-apiserver (controller/registrations.go), which the mesh can do without.
var Sources = []kinds.Source{
	kinds.Of(func(i kinds.Informers) cache.SharedIndexInformer { return i.Host.Core().V1().Services().Informer() },
		(*world.World).SetService, (*world.World).DeleteService),
	kinds.Of(func(i kinds.Informers) cache.SharedIndexInformer {
		return i.Host.Discovery().V1().EndpointSlices().Informer()
	},
		(*world.World).SetSlice, (*world.World).DeleteSlice),
	kinds.Of(func(i kinds.Informers) cache.SharedIndexInformer { return i.Host.Core().V1().Pods().Informer() },
		(*world.World).SetPod, (*world.World).DeletePod),
	kinds.Of(func(i kinds.Informers) cache.SharedIndexInformer { return i.Host.Core().V1().Namespaces().Informer() },
		(*world.World).SetNamespace, (*world.World).DeleteNamespace),
	meshpolicy.Source,
	meshroute.Source,
	meshconfig.Source,
}
