// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/inject"
)

// bounds knows what namespaces demand of the resources of containers. The informers
// are milliseconds behind: a pod that comes together with the first quota of its
// namespace may be refused by it, and is made again by its controller.
type bounds struct {
	limitRanges corelisters.LimitRangeLister
	quotas      corelisters.ResourceQuotaLister
}

func newBounds(c *clients) bounds {
	core := c.hostInformers.Core().V1()
	return bounds{limitRanges: core.LimitRanges().Lister(), quotas: core.ResourceQuotas().Lister()}
}

func (b bounds) of(namespace string) (out inject.Bounds, err error) {
	if out.LimitRanges, err = b.limitRanges.LimitRanges(namespace).List(labels.Everything()); err != nil {
		return out, fmt.Errorf("list LimitRanges: %w", err)
	}
	if out.Quotas, err = b.quotas.ResourceQuotas(namespace).List(labels.Everything()); err != nil {
		return out, fmt.Errorf("list ResourceQuotas: %w", err)
	}
	return out, nil
}

// demanded are requests and limits for where MeshConfig has none and something
// demands them. The limits are what docs/decisions/proxy-resources.md has measured.
func demanded() corev1.ResourceRequirements {
	var defaults v1alpha1.SidecarConfig
	v1alpha1.SetDefaults_SidecarConfig(&defaults)
	return corev1.ResourceRequirements{
		Requests: defaults.Resources.Requests,
		Limits: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("250m"),
			corev1.ResourceMemory: resource.MustParse("256Mi"),
		},
	}
}
