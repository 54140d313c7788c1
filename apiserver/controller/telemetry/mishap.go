// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"regexp"
	"strconv"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// How Envoy calls the statistics of mishaps: at the caller by the Service and its
// port, of whose name Envoy makes <namespace>/<service>_<port>, and what comes
// after that of a headless one's endpoints; at the callee by the pod's port.
var (
	outboundMishap = regexp.MustCompile(`^(listener|http)\.out/([a-z0-9-]{1,63})/([a-z0-9-]{1,63})_([0-9]{1,5})(?:/.*)?\.(downstream_listener_filter_remote_close|downstream_cx_protocol_error)$`)
	inboundMishap  = regexp.MustCompile(`^mishap\.(undetected|tls)\.port\.([0-9]{1,5})$`)
)

// parseMishap reads a statistic's name, false if it is that of another.
func parseMishap(name string) (model.Mishap, bool) {
	if match := inboundMishap.FindStringSubmatch(name); match != nil {
		kind := model.MishapUndetected
		if match[1] == "tls" {
			kind = model.MishapNotHTTP
		}
		return mishap(kind, model.ServiceKey{}, match[2])
	}
	match := outboundMishap.FindStringSubmatch(name)
	if match == nil {
		return model.Mishap{}, false
	}
	service := model.ServiceKey{Namespace: match[2], Name: match[3]}
	switch match[1] + "." + match[5] {
	case "listener.downstream_listener_filter_remote_close":
		return mishap(model.MishapUndetected, service, match[4])
	case "http.downstream_cx_protocol_error":
		return mishap(model.MishapNotHTTP, service, match[4])
	default:
		return model.Mishap{}, false
	}
}

func mishap(kind model.MishapKind, service model.ServiceKey, port string) (model.Mishap, bool) {
	number, err := strconv.ParseUint(port, 10, 16)
	return model.Mishap{Kind: kind, Service: service, Port: uint16(number)}, err == nil && number > 0
}
