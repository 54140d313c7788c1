// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
)

// Bounds of what is taken from anybody who reaches the port: the API server
// brings no certificate to a webhook, unless it is configured to.
const (
	// maxReview bounds an AdmissionReview of a new pod, in bytes. The API server
	// takes no object above 3 MiB, twice etcd's limit of 1.5 MiB for a request
	// (MaxRequestBodyBytes in k8s.io/apiserver/pkg/server/config.go); the rest is
	// for what a review says beside it.
	maxReview = 3<<20 + 64<<10
	// maxInFlight bounds the reviews that are read and answered at one time. One
	// takes a millisecond.
	maxInFlight = 64
	// retryAfter is when to ask again, in seconds. The API server's client does
	// so by itself (client-go rest.Request).
	retryAfter = "1"
)

// SettingsFunc gives the settings as they are now.
type SettingsFunc func() (Settings, error)

// NamespaceFunc gives the labels of a namespace. It must ask the API server
// where its cache has no answer: a pod may come right after its namespace.
type NamespaceFunc func(ctx context.Context, name string) (labels map[string]string, err error)

// Handler answers the AdmissionReviews (admission.k8s.io/v1) of the webhook. It
// changes nothing itself, so that dry runs need no care. Which pods the mesh
// takes is decided by the webhook's selectors, in the API server: a pod that
// comes here is injected unless its own label forbids it.
type Handler struct {
	settings   SettingsFunc
	namespaces NamespaceFunc
	// inFlight has a place for each review that may be under way.
	inFlight chan struct{}
}

// NewHandler makes the handler for the path /inject.
func NewHandler(settings SettingsFunc, namespaces NamespaceFunc) *Handler {
	return &Handler{settings: settings, namespaces: namespaces, inFlight: make(chan struct{}, maxInFlight)}
}

var _ http.Handler = (*Handler)(nil)

// ServeHTTP answers one review, or, when too many are under way, says when to
// come again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	select {
	case h.inFlight <- struct{}{}:
		defer func() { <-h.inFlight }()
	default:
		observe(outcomeBusy, start)
		w.Header().Set("Retry-After", retryAfter)
		http.Error(w, fmt.Sprintf("%d reviews are under way already", maxInFlight), http.StatusServiceUnavailable)
		return
	}
	review, status, err := readReview(w, r)
	if err != nil {
		observe(outcomeBadRequest, start)
		http.Error(w, err.Error(), status)
		return
	}
	response, result := h.admit(r.Context(), review.Request)
	response.UID = review.Request.UID
	observe(result, start)

	w.Header().Set("Content-Type", "application/json")
	answer := admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: response}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		klog.FromContext(r.Context()).Error(err, "Write admission response", "uid", response.UID)
	}
}

func readReview(w http.ResponseWriter, r *http.Request) (admissionv1.AdmissionReview, int, error) {
	var review admissionv1.AdmissionReview
	if r.Method != http.MethodPost {
		return review, http.StatusMethodNotAllowed, fmt.Errorf("method %s: only POST is allowed", r.Method)
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return review, http.StatusUnsupportedMediaType, fmt.Errorf("content type %q: only application/json is allowed", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return review, http.StatusRequestEntityTooLarge, fmt.Errorf("body is larger than %d bytes", maxReview)
	}
	if err != nil {
		return review, http.StatusBadRequest, fmt.Errorf("read body: %w", err)
	}
	if err := utiljson.Unmarshal(body, &review); err != nil {
		return review, http.StatusBadRequest, fmt.Errorf("decode AdmissionReview: %w", err)
	}
	if review.APIVersion != admissionv1.SchemeGroupVersion.String() || review.Kind != "AdmissionReview" || review.Request == nil {
		return review, http.StatusBadRequest, fmt.Errorf("body is %s %s: want an AdmissionReview of %s with a request", review.APIVersion, review.Kind, admissionv1.SchemeGroupVersion)
	}
	return review, http.StatusOK, nil
}

// admit decides, and says how it went for the metrics.
func (h *Handler) admit(ctx context.Context, request *admissionv1.AdmissionRequest) (*admissionv1.AdmissionResponse, outcome) {
	if request.Operation != admissionv1.Create || request.SubResource != "" ||
		request.Resource != (metav1.GroupVersionResource{Version: "v1", Resource: "pods"}) {
		return deny(http.StatusBadRequest, "the mesh's webhook takes CREATE of v1 pods alone: correct its MutatingWebhookConfiguration"), outcomeError
	}
	var pod corev1.Pod
	if err := utiljson.Unmarshal(request.Object.Raw, &pod); err != nil {
		return deny(http.StatusBadRequest, fmt.Sprintf("decode pod: %v", err)), outcomeError
	}
	settings, err := h.settings()
	if err != nil {
		return h.fail(ctx, request, fmt.Errorf("read the mesh's settings: %w", err))
	}
	labels, err := h.namespaces(ctx, request.Namespace)
	if err != nil {
		return h.fail(ctx, request, fmt.Errorf("read namespace %s: %w", request.Namespace, err))
	}
	result, err := Patch(&pod, Namespace{Name: request.Namespace, Labels: labels}, settings)
	if err != nil {
		return deny(http.StatusForbidden, err.Error()), outcomeRefused
	}
	response := &admissionv1.AdmissionResponse{Allowed: true, Warnings: result.Warnings}
	if len(result.Operations) == 0 {
		return response, outcomeUnchanged
	}
	if response.Patch, err = json.Marshal(result.Operations); err != nil {
		return h.fail(ctx, request, fmt.Errorf("encode patch: %w", err))
	}
	response.PatchType = ptr.To(admissionv1.PatchTypeJSONPatch)
	return response, outcomeInjected
}

// fail is for what is not the pod's fault: whoever made it tries again.
func (h *Handler) fail(ctx context.Context, request *admissionv1.AdmissionRequest, err error) (*admissionv1.AdmissionResponse, outcome) {
	klog.FromContext(ctx).Error(err, "Admit pod", "namespace", request.Namespace, "uid", request.UID)
	return deny(http.StatusInternalServerError, err.Error()), outcomeError
}

func deny(code int32, message string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Code: code, Message: message,
	}}
}
