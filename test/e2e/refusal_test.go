// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/mesh-apiserver/apis/mesh/v1alpha1"
	"github.com/openservicemesh/mesh-apiserver/test/await"
	"github.com/openservicemesh/mesh-apiserver/test/e2e/cluster"
)

// A 403 is the server's own: its proxy logs response_code_details, the caller's
// proxy nothing.
func TestARefusalExplainsItself(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "readers", fmt.Sprintf(`
targetRefs: [{kind: Service, name: shop}]
action: Allow
rules: [{from: [{namespaces: [%s]}], to: [{http: {paths: [{type: PathPrefix, value: /books}]}}]}]
`, buyer.Namespace))
	live.Policy(t, shop.Namespace, "no-drafts", `
targetRefs: [{kind: Service, name: shop}]
action: Deny
rules: [{name: drafts, to: [{http: {paths: [{type: PathPrefix, value: /books/drafts}]}}]}]
`)
	live.Policy(t, shop.Namespace, "echo", admitTCP(buyer.Namespace, buyer.Account))
	wantGet(t, buyer, "200", shop.URL("/books"))
	wantGet(t, buyer, "403", shop.URL("/till?token=1"))
	wantGet(t, buyer, "403", shop.URL("/books/drafts/1"))
	held := thief.Watch(t, "hold", shop.Echo())
	held.Await(t, soon, "closed after 0 bytes", "new")

	spiffe := func(p *cluster.Pod) string {
		return fmt.Sprintf(`"caller":"spiffe://cluster.local/ns/%s/sa/%s"`, p.Namespace, p.Account)
	}
	wantLogged(t, shop.Pod, spiffe(buyer), `"path":"/till"`, `"refused":"rbac_access_denied_matched_policy[closed-by(`+shop.Namespace+`/readers)]"`)
	wantLogged(t, shop.Pod, spiffe(buyer), `"path":"/books/drafts/1"`, `"refused":"rbac_access_denied_matched_policy[`+shop.Namespace+`/no-drafts/drafts]"`)
	wantLogged(t, shop.Pod, spiffe(thief), `:9000"`, `"handshake":"TLS_error`, "SAN")
	for _, caller := range []*cluster.Pod{buyer, thief} {
		log, err := caller.Log(t.Context(), "mesh-proxy")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log, shop.Namespace+"/") {
			t.Errorf("the proxy of %s logs a refusal of the server's:\n%s", caller.Name, log)
		}
	}

	stats, err := shop.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{shop.Namespace + "/no-drafts/drafts", "closed-by(" + shop.Namespace + "/readers)"} {
		if stats.Sum("envoy_http_rbac_policy_denied{", `envoy_rbac_policy_name="`+rule+`"`) == 0 {
			t.Errorf("no counter of %s has counted", rule)
		}
	}
}

// A line is written each second. Were it each 10 s, as Envoy does by itself, then each
// refusal but the first would wait for nearly as long, since it comes right after the
// line before it was written.
func TestARefusalIsInTheLogWithinSeconds(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	live.Policy(t, shop.Namespace, "nobody", `
targetRefs: [{kind: Service, name: shop}]
action: Deny
rules: [{to: [{http: {paths: [{type: PathPrefix, value: /till}]}}]}]
`)
	wantGet(t, buyer, "403", shop.URL("/till"))
	const within = 6 * time.Second
	slow := 0
	for i := range 5 {
		path := fmt.Sprintf("/till/%d", i)
		wantGet(t, buyer, "403", shop.URL(path))
		refused := time.Now()
		wantLogged(t, shop.Pod, `"path":"`+path+`"`)
		if took := time.Since(refused); took > within {
			t.Logf("the refusal of %s is in the log after %s", path, took)
			slow++
		}
	}
	// Some may have met a machine that does something else.
	if slow > 3 {
		t.Errorf("%d of 5 refusals came later than %s", slow, within)
	}
}

// wantLogged waits for a line of a pod's proxy that has all these parts.
func wantLogged(t *testing.T, pod *cluster.Pod, parts ...string) {
	t.Helper()
	await.State(t, soon, func() (string, bool) {
		log, err := pod.Log(t.Context(), "mesh-proxy")
		if err != nil {
			return err.Error(), false
		}
	lines:
		for line := range strings.Lines(log) {
			for _, part := range parts {
				if !strings.Contains(line, part) {
					continue lines
				}
			}
			return "", true
		}
		return fmt.Sprintf("no line with all of %q in\n%s", parts, log), false
	})
}

// Audit changes no verdict, and what it counts is in status and in a metric.
func TestAnAuditPolicyCountsWhatItWouldDo(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	wantGet(t, buyer, "200", shop.URL("/"))
	wantGet(t, thief, "200", shop.URL("/"))
	live.Policy(t, shop.Namespace, "readers", fmt.Sprintf(`
targetRefs: [{kind: Service, name: shop}, {kind: Service, name: echo}]
action: Allow
mode: Audit
rules: [{from: [{namespaces: [%s]}], to: [{all: {}}]}]
`, buyer.Namespace))
	live.Policy(t, shop.Namespace, "no-till", `
targetRefs: [{kind: Service, name: shop}]
action: Deny
mode: Audit
rules: [{to: [{http: {paths: [{type: Exact, value: /till}]}}]}]
`)
	for _, c := range []call{
		gets(buyer, "200", "/books"), gets(buyer, "200", "/books"), gets(buyer, "200", "/till"), gets(thief, "200", "/books"),
	} {
		if got := c.from.Get(t.Context(), shop.URL(c.request[0])); got != c.want {
			t.Errorf("%s of %s: %s: an Audit policy changed the verdict", c.request[0], c.from.Name, got)
		}
	}
	wantAudit(t, shop.Namespace, "readers", v1alpha1.AuditCounts{Allowed: 3, Denied: 1})
	wantAudit(t, shop.Namespace, "no-till", v1alpha1.AuditCounts{Denied: 1})

	// Each opens one connection that it keeps, and new ones.
	before := auditOf(t, shop.Namespace, "readers")
	for _, caller := range []*cluster.Pod{buyer, thief} {
		caller.Hold(t, shop.Echo())
	}
	await.State(t, soon, func() (string, bool) {
		now := auditOf(t, shop.Namespace, "readers")
		return fmt.Sprintf("%+v of connections, too", now), now.Allowed > before.Allowed && now.Denied > before.Denied
	})
}

func auditOf(t *testing.T, namespace, name string) v1alpha1.AuditCounts {
	t.Helper()
	policy, err := live.Mesh.MeshV1alpha1().MeshPolicies(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if policy.Status.Audit == nil {
		return v1alpha1.AuditCounts{}
	}
	return *policy.Status.Audit
}

// wantAudit waits until a policy's status and the server's metric say the same:
// proxies push what they have counted every 10 s.
func wantAudit(t *testing.T, namespace, name string, want v1alpha1.AuditCounts) {
	t.Helper()
	await.State(t, soon, func() (string, bool) {
		metrics, err := live.ServerMetrics(t.Context())
		if err != nil {
			return err.Error(), false
		}
		counted := func(verdict string) int64 {
			return int64(metrics.Sum("mesh_policy_audit_requests_total{", `namespace="`+namespace+`"`, `policy="`+name+`"`, `verdict="`+verdict+`"`))
		}
		metric := v1alpha1.AuditCounts{Allowed: counted("allowed"), Denied: counted("denied")}
		status := auditOf(t, namespace, name)
		return fmt.Sprintf("%s: the status has %+v, the metric %+v, want %+v", name, status, metric, want), status == want && metric == want
	})
}

// Loopback-only ports stay private: the pod itself reaches them, nobody else
// does, by pod address or by a Service.
func TestALoopbackOnlyPortStaysPrivate(t *testing.T) {
	t.Parallel()
	shop := live.Shop(t)
	private := cluster.Container("app", "echo", "--listen=127.0.0.1:9200,:9201")
	pod, err := live.Start(t.Context(), cluster.Manifest(shop.Namespace, "private", private))
	if err != nil {
		t.Fatal(err)
	}
	apply(t, shop.Namespace, `
apiVersion: v1
kind: Service
metadata: {name: private}
spec:
  selector: {app: private}
  ports: [{name: tcp-private, port: 9200}, {name: tcp-shared, port: 9201}]
`)
	pod.Hold(t, "127.0.0.1:9200")
	for _, host := range []string{pod.IP, "private." + shop.Namespace} {
		buyer.Hold(t, host+":9201")
		outside := buyer.Watch(t, "hold", host+":9200")
		outside.Await(t, soon, "closed after 0 bytes", "new")
		if slices.Contains(outside.Outcomes("new"), "echo") {
			t.Errorf("a port of the loopback interface alone answers another pod by %s", host)
		}
	}
}
