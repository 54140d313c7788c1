// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/mesh-apiserver/apiserver/source"
)

// SettingsFunc gives the settings as they are now.
type SettingsFunc func() (Settings, error)

// NamespaceFunc gives the labels of a namespace that takes a pod with these labels
// into the mesh. It must ask the API server where its cache has no such namespace: a
// pod may come right after it. It may take its time, and ends with ctx.
type NamespaceFunc func(ctx context.Context, name string, pod map[string]string) (labels map[string]string, err error)

// BoundsFunc gives what a namespace demands of containers, as far as it is known.
type BoundsFunc func(namespace string) (Bounds, error)

// Handler answers the AdmissionReviews (admission.k8s.io/v1) of the webhook. It
// changes nothing itself, so that dry runs need no care. Which pods the mesh
// takes is decided by the webhook's selectors, in the API server: a pod that
// comes here is injected unless its own label forbids it.
type Handler struct {
	settings   SettingsFunc
	namespaces NamespaceFunc
	bounds     BoundsFunc

	sources, largeSources *lines
	memory                *budget
	// inFlight has a place for each review that is worked at. What has one waits for
	// nothing.
	inFlight   chan struct{}
	complaints *rate.Limiter
	bootstraps *bootstraps
	// patience is a constant but in tests.
	patience time.Duration
}

// NewHandler makes the handler for the path /inject.
func NewHandler(settings SettingsFunc, namespaces NamespaceFunc, bounds BoundsFunc) *Handler {
	return &Handler{
		settings:     settings,
		namespaces:   namespaces,
		bounds:       bounds,
		sources:      newLines(placesOfSource),
		largeSources: newLines(largeOfSource),
		memory:       newBudget(maxMemory),
		inFlight:     make(chan struct{}, maxInFlight),
		complaints:   rate.NewLimiter(complaintsRate, complaintsBurst),
		bootstraps:   newBootstraps(),
		patience:     patience,
	}
}

var _ http.Handler = (*Handler)(nil)

// ServeHTTP answers one review, or, when too many are under way, says when to
// come again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	waiting, cancel := context.WithTimeout(r.Context(), h.patience)
	defer cancel()
	leave, ok := h.sources.enter(waiting, source.Of(r.RemoteAddr))
	if !ok {
		reject(w, errBusy, start)
		return
	}
	defer leave()
	ctx, crowdOut := context.WithCancelCause(r.Context())
	defer crowdOut(nil)
	memory := h.memory.enter(crowdOut)
	defer memory.leave()
	// A read that waits ends as well.
	defer interruptAfter(ctx, w, r)()
	body, release, err := h.readBody(ctx, w, r, memory)
	defer release()
	if err != nil {
		reject(w, err, start)
		return
	}
	answer, result, err := h.answer(ctx, body)
	if err != nil {
		reject(w, err, start)
		return
	}
	observe(result, start)
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		klog.FromContext(r.Context()).V(2).Info("Write admission response", "uid", answer.Response.UID, "err", err)
	}
}

// answer decides about what was read. It takes a place to read what was sent and to
// patch it, and none while it waits: neither for the caller, which may be slow, nor
// for the namespace, whose name any caller may have made up.
func (h *Handler) answer(ctx context.Context, body []byte) (admissionv1.AdmissionReview, outcome, error) {
	var review admissionv1.AdmissionReview
	var pod corev1.Pod
	var response *admissionv1.AdmissionResponse
	result := outcomeError
	err := h.inTurn(ctx, func() (err error) {
		if review, err = decode(body); err != nil {
			return err
		}
		response = decodePod(review.Request, &pod)
		return nil
	})
	if err != nil {
		return admissionv1.AdmissionReview{}, outcomeBadRequest, err
	}
	if response == nil {
		response, result, err = h.admit(ctx, review.Request, &pod)
	}
	if err != nil {
		return admissionv1.AdmissionReview{}, outcomeBusy, err
	}
	response.UID = review.Request.UID
	return admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: response}, result, nil
}

// inTurn works when there is a place for it.
func (h *Handler) inTurn(ctx context.Context, work func() error) error {
	waiting, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	if !take(waiting, h.inFlight) {
		return errBusy
	}
	defer func() { <-h.inFlight }()
	return work()
}

// decodePod reads the pod of a request, or gives what to answer to one that is about
// something else.
func decodePod(request *admissionv1.AdmissionRequest, pod *corev1.Pod) *admissionv1.AdmissionResponse {
	if request.Operation != admissionv1.Create || request.SubResource != "" ||
		request.Resource != (metav1.GroupVersionResource{Version: "v1", Resource: "pods"}) {
		return deny(http.StatusBadRequest, "the mesh's webhook takes CREATE of v1 pods alone: correct its MutatingWebhookConfiguration")
	}
	if err := utiljson.Unmarshal(request.Object.Raw, pod); err != nil {
		return deny(http.StatusBadRequest, fmt.Sprintf("decode pod: %v", err))
	}
	return nil
}

// admit decides, and says how it went for the metrics. The error is about a review
// that found no place.
func (h *Handler) admit(ctx context.Context, request *admissionv1.AdmissionRequest, pod *corev1.Pod) (*admissionv1.AdmissionResponse, outcome, error) {
	settings, err := h.settings()
	if err != nil {
		response, result := h.fail(ctx, request, fmt.Errorf("read the mesh's settings: %w", err))
		return response, result, nil
	}
	labels, err := h.namespaces(ctx, request.Namespace, pod.Labels)
	if ctx.Err() != nil {
		return nil, outcomeBusy, errBusy
	}
	if err != nil {
		response, result := h.fail(ctx, request, err)
		return response, result, nil
	}
	settings.Drawn, settings.bootstraps = draw(request.UID), h.bootstraps
	bounds, err := h.bounds(request.Namespace)
	if err != nil {
		response, result := h.fail(ctx, request, fmt.Errorf("read what namespace %s demands of containers: %w", request.Namespace, err))
		return response, result, nil
	}
	var response *admissionv1.AdmissionResponse
	var result outcome
	err = h.inTurn(ctx, func() error {
		response, result = h.patch(ctx, request, pod, Namespace{Name: request.Namespace, Labels: labels, Bounds: bounds}, settings)
		return nil
	})
	return response, result, err
}

func (h *Handler) patch(ctx context.Context, request *admissionv1.AdmissionRequest, pod *corev1.Pod, namespace Namespace, settings Settings) (*admissionv1.AdmissionResponse, outcome) {
	result, err := Patch(pod, namespace, settings)
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

// draw makes a number of the review's UID, which the API server draws anew each time.
func draw(uid types.UID) uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(uid))
	return hash.Sum64()
}

// fail is for what is not the pod's fault: whoever made it tries again.
func (h *Handler) fail(ctx context.Context, request *admissionv1.AdmissionRequest, err error) (*admissionv1.AdmissionResponse, outcome) {
	if h.complaints.Allow() {
		klog.FromContext(ctx).Error(err, "Admit pod", "namespace", request.Namespace, "uid", request.UID)
	}
	return deny(http.StatusInternalServerError, err.Error()), outcomeError
}

func deny(code int32, message string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Code: code, Message: message,
	}}
}
