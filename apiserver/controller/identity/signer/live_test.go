// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// A denial is final for a pod, so nothing that may be behind is asked: no list, no
// watch, and no get of a version that the API server may have in its cache.
func TestInformerThatLagsNeverCausesADenial(t *testing.T) {
	w, _ := sound(t)
	client := fake.NewClientset(w.pod, w.account, w.namespace)
	s := &Signer{client: client}
	if _, err := s.live(context.Background(), w.request); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, action := range client.Actions() {
		get, ok := action.(clienttesting.GetActionImpl)
		if !ok || get.GetOptions.ResourceVersion != "" {
			t.Errorf("asked by %s of %s, want a live get", action.GetVerb(), action.GetResource().Resource)
		}
		got[action.GetResource().Resource] = true
	}
	if len(got) != 3 {
		t.Errorf("got %v, want pod, account and namespace", got)
	}
}

func TestFaultOfTheAPIServerIsNoAbsence(t *testing.T) {
	for _, resource := range []string{"pods", "serviceaccounts", "namespaces"} {
		w, _ := sound(t)
		client := fake.NewClientset(w.pod, w.account, w.namespace)
		client.PrependReactor("get", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("etcd has no leader")
		})
		s := &Signer{client: client}
		if live, err := s.live(context.Background(), w.request); err == nil {
			t.Errorf("%s: decides by %+v, want an error", resource, live)
		}
	}
}
