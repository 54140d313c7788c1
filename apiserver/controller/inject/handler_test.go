// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func newHandler() *Handler {
	return NewHandler(
		func() (Settings, error) { return settings, nil },
		func(_ context.Context, name string, _ map[string]string) (map[string]string, error) {
			if name != bookstore.Name {
				return nil, errors.New("not found")
			}
			return bookstore.Labels, nil
		}, boundless)
}

func boundless(string) (Bounds, error) { return Bounds{}, nil }

func TestHandlerInjects(t *testing.T) {
	// Made by a controller: the pod itself names no namespace.
	response := admit(t, newHandler(), request(t, readPod(t, "testdata/plain.in.yaml")))
	if !response.Allowed || response.UID != "1" || response.PatchType == nil || *response.PatchType != admissionv1.PatchTypeJSONPatch {
		t.Fatalf("response is %+v", response)
	}
	var operations []Operation
	if err := json.Unmarshal(response.Patch, &operations); err != nil {
		t.Fatal(err)
	}
	if len(operations) == 0 {
		t.Error("the patch is empty")
	}
}

func TestHandlerLeavesAnInjectedPodAlone(t *testing.T) {
	response := admit(t, newHandler(), request(t, apply(t, readPod(t, "testdata/plain.in.yaml"))))
	if !response.Allowed || response.Patch != nil || response.PatchType != nil {
		t.Errorf("response is %+v", response)
	}
}

func TestHandlerRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler *Handler
		change  func(*admissionv1.AdmissionRequest)
		code    int32
		want    string
	}{
		{"a pod that cannot be meshed", newHandler(), func(r *admissionv1.AdmissionRequest) {
			r.Object.Raw = []byte(`{"spec":{"containers":[{"name":"mesh-proxy"}]}}`)
		}, http.StatusForbidden, "container mesh-proxy: the name belongs to the mesh: choose another"},
		{"something that is no pod", newHandler(), func(r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`[]`) },
			http.StatusBadRequest, "decode pod: "},
		{"another resource", newHandler(), func(r *admissionv1.AdmissionRequest) { r.Resource.Resource = "deployments" },
			http.StatusBadRequest, "the mesh's webhook takes CREATE of v1 pods alone"},
		{"an update", newHandler(), func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update },
			http.StatusBadRequest, "the mesh's webhook takes CREATE of v1 pods alone"},
		{"a namespace that cannot be read", newHandler(), func(r *admissionv1.AdmissionRequest) { r.Namespace = "gone" },
			http.StatusInternalServerError, "not found"},
		{"settings that cannot be read", NewHandler(func() (Settings, error) { return Settings{}, errors.New("not synced") }, nil, nil),
			func(*admissionv1.AdmissionRequest) {}, http.StatusInternalServerError, "read the mesh's settings: not synced"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request(t, readPod(t, "testdata/plain.in.yaml"))
			test.change(r)
			response := admit(t, test.handler, r)
			if response.Allowed || response.Patch != nil || response.Result.Code != test.code || !strings.HasPrefix(response.Result.Message, test.want) {
				t.Errorf("response is %+v, want %d %q", response.Result, test.code, test.want)
			}
		})
	}
}

func TestHandlerRefusesWhatIsNoReview(t *testing.T) {
	for _, test := range []struct {
		name, method, content, body string
		want                        int
	}{
		{"GET", http.MethodGet, "application/json", "", http.StatusMethodNotAllowed},
		{"YAML", http.MethodPost, "application/yaml", "{}", http.StatusUnsupportedMediaType},
		{"half a document", http.MethodPost, "application/json", `{"kind":`, http.StatusBadRequest},
		{"another version", http.MethodPost, "application/json", `{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{}}`, http.StatusBadRequest},
		{"no request", http.MethodPost, "application/json", `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, http.StatusBadRequest},
		{"too large", http.MethodPost, "application/json", strings.Repeat(" ", maxReview+1), http.StatusRequestEntityTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "/inject", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.content)
			w := httptest.NewRecorder()
			newHandler().ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("status is %d (%s), want %d", w.Code, w.Body, test.want)
			}
		})
	}
}

func TestHandlerTurnsAwayWhatIsTooMuchAtOnce(t *testing.T) {
	handler := newHandler()
	handler.patience = 10 * time.Millisecond
	body := review(t, request(t, readPod(t, "testdata/plain.in.yaml")))
	for range maxInFlight {
		handler.inFlight <- struct{}{}
	}
	if w := post(handler, "198.18.1.1", strings.NewReader(body)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d with Retry-After %q, want 503 with one", w.Code, w.Header().Get("Retry-After"))
	}
	<-handler.inFlight
	if w := post(handler, "198.18.1.1", strings.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("once others are done: answered %d", w.Code)
	}
	if len(handler.sources.bySource) != 0 {
		t.Errorf("%d lines are remembered in which nobody stands", len(handler.sources.bySource))
	}
}

func TestHandlerServesOthersWhileOneSourceTakesAllItCan(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := blocked(entered, leave)
	body := review(t, request(t, readPod(t, "testdata/plain.in.yaml")))
	var underWay sync.WaitGroup
	for range placesOfSource {
		underWay.Go(func() { post(handler, "198.18.0.1", strings.NewReader(body)) })
		<-entered
	}
	if w := post(handler, "198.18.0.1", strings.NewReader(body)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("the source with all its places taken: answered %d, want 503", w.Code)
	}
	go func() {
		<-entered
		close(leave)
	}()
	if w := post(handler, "198.18.0.2", strings.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("another source: answered %d, want 200", w.Code)
	}
	underWay.Wait()
}

// A namespace whose name is made up may take a second to be called absent.
func TestReviewsThatWaitForANamespaceTakeNoPlaceOfOthers(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := blocked(entered, leave)
	handler.patience = time.Minute // at the end all want to go on at once
	body := review(t, request(t, readPod(t, "testdata/plain.in.yaml")))
	var underWay sync.WaitGroup
	for i := range 2 * maxInFlight {
		underWay.Go(func() { post(handler, fmt.Sprintf("198.18.0.%d", i), strings.NewReader(body)) })
		<-entered
	}
	go func() {
		<-entered
		close(leave)
	}()
	if w := post(handler, "198.18.1.1", strings.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("answered %d, want 200", w.Code)
	}
	underWay.Wait()
}

// TestHandlerIsNotHeldUpByWhoSendsSlowly has many sources send half a body each.
func TestHandlerIsNotHeldUpByWhoSendsSlowly(t *testing.T) {
	handler := newHandler()
	handler.patience = 10 * time.Millisecond
	body := review(t, request(t, readPod(t, "testdata/plain.in.yaml")))
	var slow sync.WaitGroup
	var writers []*io.PipeWriter
	for source := range 20 {
		for range placesOfSource {
			r, w := io.Pipe()
			writers = append(writers, w)
			slow.Go(func() { post(handler, fmt.Sprintf("198.18.0.%d", source), r) })
			if _, err := io.WriteString(w, body[:10]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if w := post(handler, "198.18.1.1", strings.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("answered %d beside %d slow requests, want 200", w.Code, len(writers))
	}
	for _, w := range writers {
		w.Close()
	}
	slow.Wait()
}

func TestHandlerHoldsFewLargeReviewsOfASource(t *testing.T) {
	handler := newHandler()
	handler.patience = 10 * time.Millisecond
	pod := readPod(t, "testdata/plain.in.yaml")
	pod.Annotations = map[string]string{"example.com/large": strings.Repeat("x", 2*small)}
	body := review(t, request(t, pod))
	var slow sync.WaitGroup
	var writers []*io.PipeWriter
	for range largeOfSource {
		r, w := io.Pipe()
		writers = append(writers, w)
		slow.Go(func() { post(handler, "198.18.0.1", r) })
		if _, err := io.WriteString(w, body[:small+1]); err != nil {
			t.Fatal(err)
		}
	}
	if w := post(handler, "198.18.0.1", strings.NewReader(body)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("the same source: answered %d, want 503", w.Code)
	}
	if w := post(handler, "198.18.0.2", strings.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("another source: answered %d, want 200", w.Code)
	}
	for _, w := range writers {
		w.Close()
	}
	slow.Wait()
	if w := post(handler, "198.18.0.1", strings.NewReader(body)); w.Code != http.StatusOK {
		t.Errorf("once the slow ones are gone: answered %d, want 200", w.Code)
	}
}

// blocked is a handler that says when it decides about a review, and waits.
func blocked(entered, leave chan struct{}) *Handler {
	handler := NewHandler(
		func() (Settings, error) { return settings, nil },
		func(context.Context, string, map[string]string) (map[string]string, error) {
			entered <- struct{}{}
			<-leave
			return nil, nil
		}, boundless)
	handler.patience = 10 * time.Millisecond
	return handler
}

func post(handler *Handler, source string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/inject", body)
	r.RemoteAddr = source + ":40000"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func BenchmarkHandler(b *testing.B) {
	body := review(b, request(b, readPod(b, "testdata/probes.in.yaml")))
	handler := newHandler()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/inject", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func request(t testing.TB, pod *corev1.Pod) *admissionv1.AdmissionRequest {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return &admissionv1.AdmissionRequest{
		UID: "1", Namespace: bookstore.Name, Operation: admissionv1.Create,
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Object:   runtime.RawExtension{Raw: raw},
	}
}

func review(t testing.TB, r *admissionv1.AdmissionRequest) string {
	t.Helper()
	raw, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: r,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func admit(t *testing.T, handler http.Handler, r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	t.Helper()
	httpRequest := httptest.NewRequest(http.MethodPost, "/inject", strings.NewReader(review(t, r)))
	httpRequest.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httpRequest)
	var answer admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("status %d, body %s: %v", w.Code, w.Body, err)
	}
	if answer.Response == nil || answer.APIVersion != "admission.k8s.io/v1" || answer.Kind != "AdmissionReview" {
		t.Fatalf("answer is %+v", answer)
	}
	return answer.Response
}
