// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh"
)

// RFC 9110, 5.6.2: a token. Methods are case-sensitive (9.1), and all that are
// registered are in upper case.
var (
	tokenPattern  = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")
	methodPattern = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Z]+$")
)

func validateHTTP(match *mesh.HTTPMatch, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, notEmpty(match.Methods, path.Child("methods"), "")...)
	errs = append(errs, notEmpty(match.Paths, path.Child("paths"), "")...)
	errs = append(errs, notEmpty(match.Headers, path.Child("headers"), "")...)
	errs = append(errs, notEmpty(match.Hosts, path.Child("hosts"), "")...)
	if match.Methods == nil && match.Paths == nil && match.Headers == nil && match.Hosts == nil {
		errs = append(errs, field.Required(path, `must set methods, paths, headers or hosts: every request is {paths: [{value: "/"}]}`))
	}
	for i, method := range match.Methods {
		if !methodPattern.MatchString(method) {
			errs = append(errs, field.Invalid(path.Child("methods").Index(i), method, "must be an HTTP method in upper case, such as GET"))
		}
	}
	for i := range match.Paths {
		errs = append(errs, validatePath(&match.Paths[i], path.Child("paths").Index(i))...)
	}
	for i := range match.Headers {
		errs = append(errs, validateHeader(&match.Headers[i], path.Child("headers").Index(i))...)
	}
	for i, host := range match.Hosts {
		errs = append(errs, validateHost(host, path.Child("hosts").Index(i))...)
	}
	return errs
}

func validateHeader(header *mesh.HeaderMatch, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	namePath, valuePath := path.Child("name"), path.Child("value")
	switch name := strings.ToLower(header.Name); {
	case name == "host" || name == ":authority":
		errs = append(errs, field.Invalid(namePath, header.Name, "must not be the host: use hosts"))
	case name == ":method":
		errs = append(errs, field.Invalid(namePath, header.Name, "must not be the method: use methods"))
	case name == ":path":
		errs = append(errs, field.Invalid(namePath, header.Name, "must not be the path: use paths"))
	case name != "" && !tokenPattern.MatchString(name):
		errs = append(errs, field.Invalid(namePath, header.Name, "must be a header's name: letters, digits and '-'"))
	}
	if header.Type == mesh.HeaderMatchRegularExpression {
		return append(errs, validateRegularExpression(header.Value, valuePath)...)
	}
	if strings.TrimSpace(header.Value) != header.Value || strings.ContainsFunc(header.Value, isControl) {
		errs = append(errs, field.Invalid(valuePath, header.Value, "must not begin or end with a space, nor hold control characters: no header does"))
	}
	return errs
}

func validateHost(host string, path *field.Path) field.ErrorList {
	name := strings.ToLower(host)
	check := validation.IsDNS1123Subdomain
	if strings.HasPrefix(name, "*") {
		check = validation.IsWildcardDNS1123Subdomain
	}
	if len(check(name)) == 0 {
		return nil
	}
	why := `must be a DNS name, or begin with "*." and go on as one`
	if before, port, found := strings.Cut(name, ":"); found && len(check(before)) == 0 && isDigits(port) {
		why = fmt.Sprintf("must not have a port: %q matches every port", before)
	}
	return field.ErrorList{field.Invalid(path, host, why)}
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isControl tells the characters that RFC 9110, 5.5 keeps out of field values.
func isControl(r rune) bool {
	return (r < ' ' && r != '\t') || r == 0x7f
}
