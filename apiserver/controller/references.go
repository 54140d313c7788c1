// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// References tells the registry whether what a new object names is there, for
// its warnings. Until the informers have synced it knows nothing.
type References struct {
	services   corelisters.ServiceLister
	accounts   corelisters.ServiceAccountLister
	namespaces corelisters.NamespaceLister
	synced     []cache.InformerSynced
}

// NewReferences makes References of informers that the caller starts.
func NewReferences(host informers.SharedInformerFactory) *References {
	services := host.Core().V1().Services()
	accounts := host.Core().V1().ServiceAccounts()
	namespaces := host.Core().V1().Namespaces()
	return &References{
		services:   services.Lister(),
		accounts:   accounts.Lister(),
		namespaces: namespaces.Lister(),
		synced:     []cache.InformerSynced{services.Informer().HasSynced, accounts.Informer().HasSynced, namespaces.Informer().HasSynced},
	}
}

// ServiceExists tells whether there is such a Service. known is false if that
// cannot be told.
func (r *References) ServiceExists(namespace, name string) (exists, known bool) {
	_, err := r.services.Services(namespace).Get(name)
	return err == nil, r.know()
}

// ServiceAccountExists tells whether there is such an account. known is false
// if that cannot be told.
func (r *References) ServiceAccountExists(namespace, name string) (exists, known bool) {
	_, err := r.accounts.ServiceAccounts(namespace).Get(name)
	return err == nil, r.know()
}

// NamespaceExists tells whether there is such a namespace. known is false if that
// cannot be told.
func (r *References) NamespaceExists(name string) (exists, known bool) {
	_, err := r.namespaces.Get(name)
	return err == nil, r.know()
}

func (r *References) know() bool {
	for _, synced := range r.synced {
		if !synced() {
			return false
		}
	}
	return true
}
