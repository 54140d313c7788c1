// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package meshpolicy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/re2"
	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/intent"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// destination translates an item of "to". With an error it gives the ports as they
// are written; of "all" there are none, which is every port.
func destination(in *v1alpha1.PolicyDestination) (intent.Destination, error) {
	out := intent.Destination{Ports: in.Ports}
	if in.All != nil {
		out.Ports = nil
	}
	if err := checkDestination(in); err != nil {
		return out, err
	}
	var err error
	out.Match, err = match(in)
	return out, err
}

func checkDestination(in *v1alpha1.PolicyDestination) error {
	kinds := 0
	for _, set := range []bool{in.HTTP != nil, in.GRPC != nil, in.TCP != nil} {
		if set {
			kinds++
		}
	}
	switch {
	case in.All != nil && (kinds > 0 || len(in.Ports) > 0):
		return errors.New("all stands alone")
	case in.All == nil && kinds == 0 && len(in.Ports) == 0:
		return errors.New("names no call")
	case kinds > 1:
		return errors.New("http, grpc and tcp exclude each other")
	}
	for _, port := range in.Ports {
		if !intent.IsPort(port) {
			return fmt.Errorf("ports: %q is neither a port number nor a name", port.String())
		}
	}
	return nil
}

func match(in *v1alpha1.PolicyDestination) (model.Match, error) {
	switch {
	case in.HTTP != nil:
		return httpMatch(in.HTTP)
	case in.GRPC != nil:
		return grpcMatch(in.GRPC)
	case in.TCP != nil:
		return model.Match{Kind: model.MatchTCP}, nil
	default:
		return model.Match{Kind: model.MatchAny}, nil
	}
}

func httpMatch(in *v1alpha1.HTTPMatch) (model.Match, error) {
	out := model.Match{Kind: model.MatchHTTP, Methods: slices.Clone(in.Methods)}
	if len(in.Methods)+len(in.Paths)+len(in.Headers)+len(in.Hosts) == 0 {
		return out, errors.New("http names no request")
	}
	if slices.Contains(in.Methods, "") || slices.Contains(in.Hosts, "") {
		return out, errors.New("http: an empty method or host")
	}
	for _, in := range in.Paths {
		path, err := pathMatch(in)
		if err != nil {
			return out, err
		}
		out.Paths = append(out.Paths, path)
	}
	for _, in := range in.Headers {
		header, err := headerMatch(in)
		if err != nil {
			return out, err
		}
		out.Headers = append(out.Headers, header)
	}
	for _, host := range in.Hosts {
		out.Hosts = append(out.Hosts, strings.ToLower(host))
	}
	return out, nil
}

// pathMatch translates a path. A prefix loses its last "/": /books/ and /books
// are the same elements (Gateway API, PathPrefix).
func pathMatch(in v1alpha1.PathMatch) (model.PathMatch, error) {
	out := model.PathMatch{Type: model.ValueMatch(in.Type), Value: in.Value}
	switch in.Type {
	case v1alpha1.PathMatchRegularExpression:
		return out, checkRE2(in.Value)
	case v1alpha1.PathMatchPathPrefix:
		out.Value = "/" + strings.Trim(in.Value, "/")
	case v1alpha1.PathMatchExact:
	default:
		return out, fmt.Errorf("path type %q is not known", in.Type)
	}
	if !strings.HasPrefix(in.Value, "/") {
		return out, fmt.Errorf(`path %q does not begin with "/"`, in.Value)
	}
	return out, nil
}

func headerMatch(in v1alpha1.HeaderMatch) (model.HeaderMatch, error) {
	out := model.HeaderMatch{Type: model.ValueMatch(in.Type), Name: strings.ToLower(in.Name), Value: in.Value}
	switch {
	case in.Name == "":
		return out, errors.New("a header without a name")
	case in.Type == v1alpha1.HeaderMatchRegularExpression:
		return out, checkRE2(in.Value)
	case in.Type != v1alpha1.HeaderMatchExact:
		return out, fmt.Errorf("header type %q is not known", in.Type)
	}
	return out, nil
}

// checkRE2 takes what every proxy takes: one that refuses an expression would
// go on with what it had before.
func checkRE2(expression string) error {
	if err := re2.Check(expression); err != nil {
		return fmt.Errorf("regular expression %q %w", expression, err)
	}
	return nil
}

func grpcMatch(in *v1alpha1.GRPCMatch) (model.Match, error) {
	out := model.Match{Kind: model.MatchGRPC}
	if len(in.Methods) == 0 {
		return out, errors.New("grpc names no call")
	}
	for _, method := range in.Methods {
		if method.Service == "" && method.Method == "" {
			return out, errors.New("grpc: a method without service and name")
		}
		out.GRPCMethods = append(out.GRPCMethods, model.GRPCMethod{Service: method.Service, Method: method.Method})
	}
	return out, nil
}
