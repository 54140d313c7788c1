// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package inject

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Bounds of what is taken from anybody who reaches the port: the API server
// brings no certificate to a webhook, unless it is configured to. Who shares the
// API server's address shares its places; others have their own.
const (
	// maxReview bounds an AdmissionReview of a new pod, in bytes. The API server
	// takes no object above 3 MiB, twice etcd's limit of 1.5 MiB for a request
	// (MaxRequestBodyBytes in k8s.io/apiserver/pkg/server/config.go); the rest is
	// for what a review says beside it.
	maxReview = 3<<20 + 64<<10
	// small is what the review of nearly every pod is below, in bytes. Larger ones
	// are few at a time, since each is held in memory.
	small = 64 << 10
	// Reviews of one address that are read or answered at one time, and the large
	// ones among them.
	placesOfSource, largeOfSource = 16, 2
	// Large reviews at one time, of all addresses.
	maxLarge = 16
	// maxInFlight bounds the reviews that are answered at one time. One takes a
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

// source is the address that a request comes from.
func source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// readBody gives the body of a review. What is small is read at once; of what is
// large a few are held in memory at a time, each until release is called, which
// is never nil.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	release = func() {}
	if r.Method != http.MethodPost {
		return nil, release, rejection{http.StatusMethodNotAllowed, fmt.Errorf("method %s: only POST is allowed", r.Method)}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, release, rejection{http.StatusUnsupportedMediaType, fmt.Errorf("content type %q: only application/json is allowed", r.Header.Get("Content-Type"))}
	}
	bounded := http.MaxBytesReader(w, r.Body, maxReview)
	body, err = io.ReadAll(io.LimitReader(bounded, small))
	if err != nil || len(body) < small {
		return body, release, wrapRead(err)
	}
	if release, err = h.enterLarge(r); err != nil {
		return nil, release, err
	}
	rest, err := io.ReadAll(bounded)
	return append(body, rest...), release, wrapRead(err)
}

// enterLarge takes a place for a large review.
func (h *Handler) enterLarge(r *http.Request) (release func(), err error) {
	waiting, cancel := context.WithTimeout(r.Context(), h.patience)
	defer cancel()
	leave, ok := h.largeSources.enter(waiting, source(r))
	if !ok {
		return func() {}, errBusy
	}
	if !take(waiting, h.large) {
		return leave, errBusy
	}
	return func() {
		<-h.large
		leave()
	}, nil
}

func wrapRead(err error) error {
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
