// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import "testing"

// Who calls is admitted to /books with x-team: books, and not to /till.
func TestNoSpellingChangesAVerdict(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "readers", policyOf(`from: [{namespaces: [`+buyer.Namespace+`]}]
to: [{http: {paths: [{type: PathPrefix, value: /books}], headers: [{name: x-team, value: books}]}}]`))
	team := "--header=x-team: books"
	for _, c := range []call{
		gets(buyer, "200", team, "/books"),
		gets(buyer, "403", team, "/till"),
		gets(buyer, "400", team, "/books%2f..%2ftill"),
		gets(buyer, "400", team, "/books/..%2Ftill"),
		gets(buyer, "400", team, "/books%5c..%5ctill"),
		gets(buyer, "400", team, "/books/../till"),
		gets(buyer, "400", team, "/books/%2e%2e/till"),
		gets(buyer, "400", team, "//till"),
		gets(buyer, "400", team, "/books/..//till"),
		gets(buyer, "403", team, "/books;x=1"),
		gets(buyer, "403", team, "/till;/books"),
		gets(buyer, "403", "--header=x_team: books", "/books"),
		gets(thief, "403", team, "--host=books.example.com", "/books"),
		gets(thief, "403", team, "--header=X-Forwarded-For: "+buyer.IP, "/books"),
		gets(thief, "403", team, "--header=X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/"+buyer.Namespace+"/sa/"+buyer.Account, "/books"),
	} {
		wantCall(t, shop, c)
	}
}
