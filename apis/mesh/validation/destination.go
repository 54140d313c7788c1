// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

var (
	// Protocol Buffers language specification: identifiers, and full names of them.
	grpcServicePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)
	grpcMethodPattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func validateDestination(destination *mesh.PolicyDestination, path *field.Path) field.ErrorList {
	errs := notEmpty(destination.Ports, path.Child("ports"), "to mean every port of the target")
	protocols := setFields(map[string]bool{
		"http": destination.HTTP != nil,
		"grpc": destination.GRPC != nil,
		"tcp":  destination.TCP != nil,
	})
	switch {
	case destination.All != nil && (destination.Ports != nil || len(protocols) > 0):
		errs = append(errs, field.Forbidden(path.Child("all"), "must stand alone: everything else only narrows it"))
	case destination.All == nil && destination.Ports == nil && len(protocols) == 0:
		errs = append(errs, field.Required(path, "must set all, or ports, http, grpc or tcp"))
	case len(protocols) > 1:
		errs = append(errs, field.Forbidden(path.Child(protocols[1]), "must not be set beside "+protocols[0]+": use two items to mean either"))
	}
	errs = append(errs, validatePorts(destination.Ports, path.Child("ports"))...)
	if destination.HTTP != nil {
		errs = append(errs, validateHTTP(destination.HTTP, path.Child("http"))...)
	}
	if destination.GRPC != nil {
		errs = append(errs, validateGRPC(destination.GRPC, path.Child("grpc"))...)
	}
	return errs
}

// setFields gives the names that are true, sorted.
func setFields(fields map[string]bool) []string {
	set := sets.New[string]()
	for name, isSet := range fields {
		if isSet {
			set.Insert(name)
		}
	}
	return sets.List(set)
}

func validatePorts(ports []intstr.IntOrString, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := sets.New[intstr.IntOrString]()
	for i, port := range ports {
		var wrong []string
		switch {
		case port.Type == intstr.String && isDigits(port.StrVal):
			wrong = []string{"must be a port's name, or a number without quotes"}
		case port.Type == intstr.String:
			wrong = validation.IsValidPortName(port.StrVal)
		default:
			wrong = validation.IsValidPortNum(port.IntValue())
		}
		for _, why := range wrong {
			errs = append(errs, field.Invalid(path.Index(i), port.String(), why))
		}
		if seen.Has(port) {
			errs = append(errs, field.Duplicate(path.Index(i), port.String()))
		}
		seen.Insert(port)
	}
	return errs
}

func validateGRPC(match *mesh.GRPCMatch, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, method := range match.Methods {
		methodPath := path.Child("methods").Index(i)
		if method.Service == "" && method.Method == "" {
			errs = append(errs, field.Required(methodPath, "must set service, method or both"))
		}
		if method.Service != "" && !grpcServicePattern.MatchString(method.Service) {
			why := `must be a full name, such as "example.v1.Greeter"`
			if strings.Contains(method.Service, "/") {
				why += `: the method has a field of its own`
			}
			errs = append(errs, field.Invalid(methodPath.Child("service"), method.Service, why))
		}
		if method.Method != "" && !grpcMethodPattern.MatchString(method.Method) {
			errs = append(errs, field.Invalid(methodPath.Child("method"), method.Method, `must be a method's name, such as "SayHello"`))
		}
	}
	return errs
}
