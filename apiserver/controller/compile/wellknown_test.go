// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"os"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// TestUndeclaredPortOfAWellKnownProtocolIsTCP: what is not HTTP by its number is
// not looked at, so nothing of it can be lost; a declaration counts before it.
func TestUndeclaredPortOfAWellKnownProtocolIsTCP(t *testing.T) {
	for _, number := range []int32{27017, 6379, 11211, 5432, 9042, 2181, 9092, 5672, 2380, 514, 2003, 24224, 3306, 873} {
		for name, port := range map[string]corev1.ServicePort{
			"the port":        {Port: number},
			"the target port": {Port: 1, TargetPort: intstr.FromInt32(number)},
		} {
			if got := protocol(&port); got != model.ProtocolTCP {
				t.Errorf("%d as %s is %s, want TCP", number, name, got)
			}
		}
		if got := protocol(&corev1.ServicePort{Port: number, Name: "http-metrics"}); got != model.ProtocolHTTP1 {
			t.Errorf("%d, named http-metrics, is %s, want HTTP/1.1", number, got)
		}
	}
	for _, number := range []int32{80, 443, 2379, 3000, 5000, 8000, 8080, 8443, 9000, 9090, 9093, 9200, 50051} {
		if got := protocol(&corev1.ServicePort{Port: number}); got != model.ProtocolDetect {
			t.Errorf("%d is %s: HTTP servers use it, so it is detected", number, got)
		}
	}
	for number := range serverFirstPorts {
		if clientFirstPorts[number] != "" {
			t.Errorf("%d is in both lists", number)
		}
	}
}

// TestDocsListEveryWellKnownPort: a user looks there for what a number does.
func TestDocsListEveryWellKnownPort(t *testing.T) {
	const page = "../../../docs/services.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "is **TCP by its number**")
	table, _, ends := strings.Cut(table, "`compile/wellknown.go`")
	if !found || !ends {
		t.Fatalf("%s has no table of numbers", page)
	}
	listed := map[uint16]bool{}
	for _, word := range strings.FieldsFunc(table, func(r rune) bool { return r < '0' || r > '9' }) {
		number, err := strconv.ParseUint(word, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		listed[uint16(number)] = true
		if !wellKnownTCP(uint16(number)) {
			t.Errorf("%s lists %d, which is detected", page, number)
		}
	}
	for _, ports := range []map[uint16]string{serverFirstPorts, clientFirstPorts} {
		for number, protocol := range ports {
			if !listed[number] {
				t.Errorf("%s does not list %d (%s)", page, number, protocol)
			}
		}
	}
}
