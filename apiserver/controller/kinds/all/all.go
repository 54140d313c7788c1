// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package all lists the kinds of units.
package all

import (
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/engine"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/account"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/common"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/direct"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/headless"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/maker"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshconfig"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/meshpolicy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/namespace"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/pod"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/proxy"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/service"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/kinds/workload"
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
	&meshconfig.Unit,
	&service.Notices,
	&namespace.Unit,
	&pod.Unit,
	&pod.Scrape,
	&maker.Unit,
}
