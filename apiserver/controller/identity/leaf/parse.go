// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package leaf

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// podExtension carries "namespace/pod/uid" as a DER UTF8String, not critical.
// The arc 2.25 is free for all (X.667); Go refuses arcs of 2^31 and more.
var podExtension = asn1.ObjectIdentifier{2, 25, 1834771231, 1}

var (
	subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	// tagURI is uniformResourceIdentifier of GeneralName, RFC 5280 4.2.1.6.
	tagURI = 6
)

// Parse reads the name of a workload certificate. It refuses everything that
// Template does not write: a CA, a subject, any SAN beside the one SPIFFE ID of
// the trust domain, a pod extension that is absent, repeated, critical or not
// canonical DER, and a pod of another namespace than the account's. The caller
// has verified the chain; Parse looks at no signature and no time.
func Parse(c *x509.Certificate, trustDomain string) (Name, error) {
	if c.IsCA {
		return Name{}, errors.New("certificate is a CA's")
	}
	if len(c.Subject.Names) != 0 {
		return Name{}, fmt.Errorf("certificate has the subject %q", c.Subject)
	}
	id, err := spiffeID(c)
	if err != nil {
		return Name{}, err
	}
	namespace, account, err := parseSPIFFEID(id, trustDomain)
	if err != nil {
		return Name{}, err
	}
	pod, err := podOf(c)
	if err != nil {
		return Name{}, err
	}
	parsed, err := parseProxyID(pod)
	if err != nil {
		return Name{}, err
	}
	if parsed.Namespace != namespace {
		return Name{}, fmt.Errorf("pod %s is not of the account's namespace %q", parsed, namespace)
	}
	name := Name{Namespace: namespace, ServiceAccount: account, Pod: parsed.Pod, UID: parsed.UID}
	if err := name.validate(); err != nil {
		return Name{}, err
	}
	return name, nil
}

// spiffeID reads the SAN extension's own bytes: x509 drops the kinds of name
// that it does not know, and url.Parse would forgive what is no SPIFFE ID.
func spiffeID(c *x509.Certificate) (string, error) {
	extension, err := single(c, subjectAltName, "subject alternative name")
	if err != nil {
		return "", err
	}
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(extension.Value, &names); err != nil || len(rest) != 0 {
		return "", errors.New("subject alternative name is not DER")
	}
	if len(names) != 1 {
		return "", fmt.Errorf("certificate has %d subject alternative names, want 1", len(names))
	}
	if n := names[0]; n.Class != asn1.ClassContextSpecific || n.Tag != tagURI || n.IsCompound {
		return "", errors.New("subject alternative name is not a URI")
	}
	return string(names[0].Bytes), nil
}

// podOf gives the text of the pod extension.
func podOf(c *x509.Certificate) (string, error) {
	extension, err := single(c, podExtension, "pod extension")
	if err != nil {
		return "", err
	}
	if extension.Critical {
		return "", errors.New("pod extension is critical")
	}
	var value asn1.RawValue
	if rest, err := asn1.Unmarshal(extension.Value, &value); err != nil || len(rest) != 0 {
		return "", errors.New("pod extension is not DER")
	}
	canonical, err := marshalUTF8(string(value.Bytes))
	if err != nil || !bytes.Equal(canonical, extension.Value) {
		return "", errors.New("pod extension is not a DER UTF8String")
	}
	return string(value.Bytes), nil
}

// single finds the one extension with an OID.
func single(c *x509.Certificate, id asn1.ObjectIdentifier, what string) (pkix.Extension, error) {
	var found []pkix.Extension
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		return pkix.Extension{}, fmt.Errorf("certificate has %d extensions %s (%s), want 1", len(found), id, what)
	}
	return found[0], nil
}

func marshalUTF8(s string) ([]byte, error) {
	return asn1.MarshalWithParams(s, "utf8")
}
