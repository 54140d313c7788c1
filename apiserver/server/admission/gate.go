// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// gate asks the host, once for each question, what a plugin may rely on.
type gate struct {
	host   kubernetes.Interface
	served map[string]map[string]bool // resources by group and version
}

func newGate(host kubernetes.Interface) *gate {
	return &gate{host: host, served: map[string]map[string]bool{}}
}

// closed says why the plugin cannot work on this host, or nothing if it can. An
// error means that the host has not answered.
func (g *gate) closed(ctx context.Context, p plugin) (reason string, err error) {
	for _, n := range p.needs {
		served, err := g.serves(n)
		if err != nil {
			return "", err
		}
		if !served {
			return fmt.Sprintf("the host does not serve %s", n), nil
		}
		for _, verb := range n.verbs {
			allowed, err := g.allows(ctx, n, verb)
			if err != nil {
				return "", err
			}
			if !allowed {
				return fmt.Sprintf("this server may not %s %s", verb, n), nil
			}
		}
	}
	return "", nil
}

func (g *gate) serves(n need) (bool, error) {
	version := n.GroupVersion().String()
	if _, known := g.served[version]; !known {
		list, err := g.host.Discovery().ServerResourcesForGroupVersion(version)
		if err != nil && !apierrors.IsNotFound(err) {
			return false, fmt.Errorf("ask the host what %s has: %w", version, err)
		}
		names := map[string]bool{}
		if err == nil {
			for _, resource := range list.APIResources {
				names[resource.Name] = true
			}
		}
		g.served[version] = names
	}
	return g.served[version][n.Resource], nil
}

// allows asks for all namespaces and all names, as the plugins' informers do.
func (g *gate) allows(ctx context.Context, n need, verb string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: n.Group, Version: n.Version, Resource: n.Resource, Subresource: n.subresource, Verb: verb,
		},
	}}
	answer, err := g.host.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask the host whether this server may %s %s: %w", verb, n, err)
	}
	return answer.Status.Allowed, nil
}
