// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/openservicemesh/mesh-apiserver/apiserver/source"
)

// Bounds of what is taken from anybody who reaches the port: the API server
// brings no certificate to a webhook, unless it is configured to. Who shares the
// API server's source shares its places; others have their own.
const (
	// maxReview bounds an AdmissionReview of a new pod, in bytes. The API server
	// takes no object above 3 MiB, twice etcd's limit of 1.5 MiB for a request
	// (MaxRequestBodyBytes in k8s.io/apiserver/pkg/server/config.go); the rest is
	// for what a review says beside it.
	maxReview = 3<<20 + 64<<10
	// small is what the review of nearly every pod is below, in bytes. Of larger ones a
	// source may send few at a time.
	small = 64 << 10
	// Reviews of one source (package source) that are read or answered at one time, and the large
	// ones among them.
	placesOfSource, largeOfSource = 16, 2
	// maxMemory bounds what has been read of all reviews that are not answered yet, in
	// bytes: ten of the largest. A buffer that grows takes up to three times as much.
	maxMemory = 32 << 20
	// maxInFlight bounds the reviews that are worked at at one time. One takes a
	// millisecond; it has been read before, however long that took.
	maxInFlight = 64
	// patience is how long a review waits for a place. The API server waits 5 s
	// for its answer.
	patience = 2 * time.Second
	// retryAfter is when to ask again, in seconds. The API server's client does
	// so by itself (client-go rest.Request).
	retryAfter = "1"
	// Complaints about reviews in the log, in a second and at once.
	complaintsRate, complaintsBurst = 1, 20
)

// readBody gives the body of a review. What is small is read at once; of what is
// large a few are read at a time for one source, each until release is called, which
// is never nil. It takes nothing that other sources need: who sends slowly holds up
// only itself, until the server's ReadTimeout ends it or its memory is needed.
func (h *Handler) readBody(ctx context.Context, w http.ResponseWriter, r *http.Request, memory *holder) (body []byte, release func(), err error) {
	release = func() {}
	if r.Method != http.MethodPost {
		return nil, release, rejection{http.StatusMethodNotAllowed, fmt.Errorf("method %s: only POST is allowed", r.Method)}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, release, rejection{http.StatusUnsupportedMediaType, fmt.Errorf("content type %q: only application/json is allowed", r.Header.Get("Content-Type"))}
	}
	bounded := http.MaxBytesReader(w, r.Body, maxReview)
	var read bytes.Buffer
	if err = memory.read(&read, bounded, small); err != nil || read.Len() < small {
		return read.Bytes(), release, wrapRead(ctx, err)
	}
	waiting, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	leave, ok := h.largeSources.enter(waiting, source.Of(r.RemoteAddr))
	if !ok {
		return nil, release, errBusy
	}
	// One byte more than there may be, to see that there is more.
	err = memory.read(&read, bounded, maxReview+1)
	return read.Bytes(), leave, wrapRead(ctx, err)
}

// interruptAfter ends a read of a request's body when ctx ends. What it gives is called
// before the request ends: afterwards net/http would panic, and the server end.
func interruptAfter(ctx context.Context, w http.ResponseWriter, r *http.Request) (forget func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		interrupt(w, r)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// interrupt ends a read of a request's body.
func interrupt(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)); err != nil {
		r.Body.Close()
	}
}

func wrapRead(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errCrowdedOut) {
		return errBusy
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return rejection{http.StatusRequestEntityTooLarge, fmt.Errorf("body is larger than %d bytes", maxReview)}
	}
	if err != nil {
		return rejection{http.StatusBadRequest, fmt.Errorf("read body: %w", err)}
	}
	return nil
}

func decode(body []byte) (review admissionv1.AdmissionReview, err error) {
	if err := utiljson.Unmarshal(body, &review); err != nil {
		return review, rejection{http.StatusBadRequest, fmt.Errorf("decode AdmissionReview: %w", err)}
	}
	if review.APIVersion != admissionv1.SchemeGroupVersion.String() || review.Kind != "AdmissionReview" || review.Request == nil {
		return review, rejection{http.StatusBadRequest, fmt.Errorf("body is %s %s: want an AdmissionReview of %s with a request", review.APIVersion, review.Kind, admissionv1.SchemeGroupVersion)}
	}
	return review, nil
}

// rejection is a request that gets no review, and the status of the answer.
type rejection struct {
	status int
	error
}

// errBusy is for a review that finds no place.
var errBusy = rejection{http.StatusServiceUnavailable, errors.New("too many reviews are under way")}

// reject answers with the status of a rejection. Who finds no place is told to
// come again.
func reject(w http.ResponseWriter, err error, start time.Time) {
	status, result := http.StatusBadRequest, outcomeBadRequest
	if r := (rejection{}); errors.As(err, &r) {
		status = r.status
	}
	if status == http.StatusServiceUnavailable {
		result = outcomeBusy
		w.Header().Set("Retry-After", retryAfter)
	}
	observe(result, start)
	http.Error(w, err.Error(), status)
}
