// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/re2"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// maxQueryName is how long a query parameter's name may be that Envoy compares.
const maxQueryName = 1024

// checkMatch says why no proxy takes a match: it would go on with the routes that it
// has.
func checkMatch(m model.RequestMatch) error {
	if m.Path != nil {
		if err := checkValue(m.Path.Type, m.Path.Value); err != nil {
			return fmt.Errorf("path %w", err)
		}
	}
	if m.Method != "" && !httpguts.ValidHeaderFieldName(m.Method) {
		return fmt.Errorf("method %q is none", m.Method)
	}
	for _, h := range m.Headers {
		if !httpguts.ValidHeaderFieldName(h.Name) {
			return fmt.Errorf("header %q: this is no name of a header", h.Name)
		}
		if err := checkValue(h.Type, h.Value); err != nil {
			return fmt.Errorf("header %q: value %w", h.Name, err)
		}
	}
	for _, q := range m.Query {
		if q.Name == "" || len(q.Name) > maxQueryName || !utf8.ValidString(q.Name) {
			return fmt.Errorf("query parameter %q: this is no name of one, or longer than %d bytes", q.Name, maxQueryName)
		}
		if err := checkValue(q.Type, q.Value); err != nil {
			return fmt.Errorf("query parameter %q: value %w", q.Name, err)
		}
	}
	if m.GRPC == nil {
		return nil
	}
	if m.Path != nil || m.Method != "" {
		return errors.New("a gRPC method is matched beside a path or a method of HTTP")
	}
	for _, s := range []string{m.GRPC.Service, m.GRPC.Method} {
		if s == "" {
			continue
		}
		if err := checkValue(m.GRPC.Type, s); err != nil {
			return fmt.Errorf("gRPC service or method %w", err)
		}
	}
	return nil
}

func checkValue(kind model.ValueMatch, value string) error {
	switch {
	case kind == model.ValueRegularExpression:
		return re2.Check(value)
	case kind != model.ValueExact && kind != model.ValuePathPrefix:
		return fmt.Errorf("must be compared in a way that is known, not by %q", kind)
	case !utf8.ValidString(value):
		return errors.New("must be UTF-8")
	default:
		return nil
	}
}

// normalMatch writes what means the same in the same way: names of headers in lower
// case; of a header or parameter that is named twice the first, as Gateway API says;
// a prefix without the slash at its end, and none in the place of the one that every
// path has.
func normalMatch(m model.RequestMatch) model.RequestMatch {
	if m.Path != nil && m.Path.Type == model.ValuePathPrefix {
		if prefix := strings.TrimSuffix(m.Path.Value, "/"); prefix == "" {
			m.Path = nil
		} else {
			m.Path = &model.PathMatch{Type: model.ValuePathPrefix, Value: prefix}
		}
	}
	var headers []model.HeaderMatch
	for _, h := range m.Headers {
		h.Name = strings.ToLower(h.Name)
		if !slices.ContainsFunc(headers, func(other model.HeaderMatch) bool { return other.Name == h.Name }) {
			headers = append(headers, h)
		}
	}
	slices.SortFunc(headers, func(a, b model.HeaderMatch) int { return cmp.Compare(a.Name, b.Name) })
	var query []model.QueryMatch
	for _, q := range m.Query {
		if !slices.ContainsFunc(query, func(other model.QueryMatch) bool { return other.Name == q.Name }) {
			query = append(query, q)
		}
	}
	slices.SortFunc(query, func(a, b model.QueryMatch) int { return cmp.Compare(a.Name, b.Name) })
	m.Headers, m.Query = headers, query
	return m
}

// matchKey is the same for matches in normal form that are.
func matchKey(m model.RequestMatch) string {
	var key strings.Builder
	if m.Path != nil {
		fmt.Fprintf(&key, "path %q %q ", m.Path.Type, m.Path.Value)
	}
	if m.GRPC != nil {
		fmt.Fprintf(&key, "grpc %q %q %q ", m.GRPC.Type, m.GRPC.Service, m.GRPC.Method)
	}
	fmt.Fprintf(&key, "%q %q %q", m.Method, m.Headers, m.Query)
	return key.String()
}
