// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"strings"
	"testing"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestNamesOfAccountsHaveNoDotAndStayApart: a dot would make a statistic's name of
// what follows it.
func TestNamesOfAccountsHaveNoDotAndStayApart(t *testing.T) {
	service := model.DirectService{Key: model.ServiceKey{Namespace: "shop", Name: "db"}, Number: 80}
	seen := map[string]string{}
	for _, account := range []string{"op", "op.dot", "op-dot", "opdot", "op.d.ot", strings.Repeat("op.", 50) + "a", strings.Repeat("op.", 50) + "b"} {
		a := model.Account{Namespace: "shop", Name: account}
		for _, name := range []string{AccountName(a), HeadlessName(service, model.Peer{Account: a})} {
			if strings.Contains(name, ".") {
				t.Errorf("%s is called %s", account, name)
			}
			if other, ok := seen[name]; ok {
				t.Errorf("%s and %s are both called %s", account, other, name)
			}
			seen[name] = account
		}
	}
}
