// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package leaf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

const domain = "cluster.local"

var bookbuyer = Name{
	Namespace:      "bookbuyer",
	ServiceAccount: "bookbuyer",
	Pod:            "bookbuyer-5d8c9-x2x7p",
	UID:            "6a1f0e2c-7a4b-4a57-9d0e-2f0f3f4b5c6d",
}

func TestParseReadsWhatTemplateWrites(t *testing.T) {
	got, err := Parse(sign(t, template(t)), domain)
	if err != nil {
		t.Fatal(err)
	}
	if got != bookbuyer {
		t.Errorf("got %+v, want %+v", got, bookbuyer)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		forge func(*x509.Certificate)
		want  string
	}{
		"another trust domain":       {uris("spiffe://elsewhere/ns/bookbuyer/sa/bookbuyer"), "not of trust domain"},
		"a longer trust domain":      {uris("spiffe://cluster.local.evil/ns/bookbuyer/sa/bookbuyer"), "not of trust domain"},
		"a port in the trust domain": {uris("spiffe://cluster.local:1/ns/bookbuyer/sa/bookbuyer"), "not of trust domain"},
		"another scheme":             {uris("https://cluster.local/ns/bookbuyer/sa/bookbuyer"), "not of trust domain"},
		"an upper-case scheme":       {rawURI("SPIFFE://cluster.local/ns/bookbuyer/sa/bookbuyer"), "not of trust domain"},
		"no account":                 {uris("spiffe://cluster.local/ns/bookbuyer"), "does not end in"},
		"an empty account":           {uris("spiffe://cluster.local/ns/bookbuyer/sa/"), "service account"},
		"more path":                  {uris("spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer/x"), "service account"},
		"a second account":           {uris("spiffe://cluster.local/ns/bookbuyer/sa/a/sa/b"), "service account"},
		"an escaped account":         {uris("spiffe://cluster.local/ns/bookbuyer/sa/book%62uyer"), "service account"},
		"a query":                    {uris("spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer?x=y"), "service account"},
		"a fragment":                 {uris("spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer#x"), "service account"},
		"two SPIFFE IDs":             {uris(bookbuyer.SPIFFEID(domain), "spiffe://cluster.local/ns/a/sa/b"), "2 subject alternative names"},
		"no SAN":                     {uris(), "0 extensions 2.5.29.17"},
		"a DNS SAN beside it":        {func(c *x509.Certificate) { c.DNSNames = []string{"mesh-apiserver.mesh-system.svc"} }, "2 subject alternative names"},
		"only a DNS SAN":             {func(c *x509.Certificate) { c.URIs, c.DNSNames = nil, []string{"mesh-apiserver.mesh-system.svc"} }, "not a URI"},
		"an IP SAN beside it":        {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }, "2 subject alternative names"},
		"an email SAN beside it":     {func(c *x509.Certificate) { c.EmailAddresses = []string{"a@example.com"} }, "2 subject alternative names"},
		"an otherName beside it":     {withOtherName, "2 subject alternative names"},
		"a subject":                  {func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "bookbuyer"} }, "subject"},
		"a CA":                       {func(c *x509.Certificate) { c.IsCA = true }, "is a CA"},
		"no pod":                     {func(c *x509.Certificate) { c.ExtraExtensions = nil }, "0 extensions 2.25.1834771231.1"},
		"a critical pod":             {func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = true }, "critical"},
		"a pod of another namespace": {pod("bookstore/p/uid"), "not of the account's namespace"},
		"a pod without UID":          {pod("bookbuyer/p"), "not namespace/pod/uid"},
		"a pod with an empty UID":    {pod("bookbuyer/p/"), "UID"},
		"a pod with a fourth part":   {pod("bookbuyer/p/uid/x"), "not namespace/pod/uid"},
		"a pod with a bad name":      {pod("bookbuyer/P_1/uid"), "pod"},
		"a pod as IA5String":         {extension(asn1.MarshalWithParams("bookbuyer/p/uid", "ia5")), "not a DER UTF8String"},
		"a pod as octets":            {extension(asn1.Marshal([]byte("bookbuyer/p/uid"))), "not a DER UTF8String"},
		"a pod with a long length":   {extension([]byte("\x0c\x81\x0fbookbuyer/p/uid"), nil), "not DER"},
		"bytes after the pod":        {trailing, "not DER"},
		"a pod that is no DER":       {extension([]byte("bookbuyer/p/uid"), nil), "not DER"},
	} {
		t.Run(name, func(t *testing.T) {
			c := template(t)
			tc.forge(c)
			_, err := Parse(sign(t, c), domain)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

// Go refuses to read a certificate with a repeated extension; Parse does not
// rely on it.
func TestParseRefusesTwoPodExtensions(t *testing.T) {
	c := sign(t, template(t))
	for _, e := range c.Extensions {
		if e.Id.Equal(podExtension) {
			c.Extensions = append(c.Extensions, e)
			break
		}
	}
	if _, err := Parse(c, domain); err == nil {
		t.Error("accepted")
	}
}

func TestParseRefusesAnEmptyTrustDomain(t *testing.T) {
	c := template(t)
	rawURI("spiffe:///ns/bookbuyer/sa/bookbuyer")(c)
	if _, err := Parse(sign(t, c), ""); err == nil {
		t.Error("accepted")
	}
}

func TestParseRefusesTheControlPlane(t *testing.T) {
	if _, err := Parse(sign(t, ControlPlaneTemplate("mesh-system", hour())), domain); err == nil {
		t.Error("accepted")
	}
}

func TestTemplateRefusesNamesThatKubernetesWould(t *testing.T) {
	for _, n := range []Name{
		{},
		{Namespace: "a/b", ServiceAccount: "x", Pod: "p", UID: "u"},
		{Namespace: "a", ServiceAccount: "x/y", Pod: "p", UID: "u"},
		{Namespace: "a", ServiceAccount: "x", Pod: "p/q", UID: "u"},
		{Namespace: "a", ServiceAccount: "x", Pod: "p", UID: "u/v"},
	} {
		if _, err := Template(n, domain, hour()); err == nil {
			t.Errorf("accepted %+v", n)
		}
	}
}

func uris(ids ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.URIs = nil
		for _, id := range ids {
			u, err := url.Parse(id)
			if err != nil {
				panic(err)
			}
			c.URIs = append(c.URIs, u)
		}
	}
}

func rawURI(id string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.URIs = nil
		appendSAN(c, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(id)})
	}
}

func withOtherName(c *x509.Certificate) {
	uri := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(c.URIs[0].String())}
	other := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: []byte{0x06, 0x01, 0x2a, 0xa0, 0x02, 0x05, 0x00}}
	c.URIs = nil
	appendSAN(c, uri, other)
}

func appendSAN(c *x509.Certificate, names ...asn1.RawValue) {
	value, err := asn1.Marshal(names)
	if err != nil {
		panic(err)
	}
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: subjectAltName, Critical: true, Value: value})
}

func pod(id string) func(*x509.Certificate) { return extension(marshalUTF8(id)) }

func extension(value []byte, err error) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		if err != nil {
			panic(err)
		}
		c.ExtraExtensions[0].Value = value
	}
}

func trailing(c *x509.Certificate) {
	c.ExtraExtensions[0].Value = append(c.ExtraExtensions[0].Value, 0)
}

func hour() Validity {
	now := time.Now().Truncate(time.Second)
	return Validity{NotBefore: now, NotAfter: now.Add(time.Hour)}
}

func template(t *testing.T) *x509.Certificate {
	t.Helper()
	c, err := Template(bookbuyer, domain, hour())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sign(t *testing.T, c *x509.Certificate) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := Sign(c, key.Public(), CA{Certificate: &x509.Certificate{Subject: pkix.Name{CommonName: "root"}}, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
