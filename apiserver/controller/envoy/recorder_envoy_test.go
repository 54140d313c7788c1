//go:build envoy

// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// recorder is an application that keeps what it is sent, octet by octet, and
// answers by its own words; by default 200 with nothing.
type recorder struct {
	port   uint16
	answer string
	mu     sync.Mutex
	heads  []string
}

func startRecorder(t *testing.T) *recorder {
	t.Helper()
	l := listen(t)
	r := &recorder{port: portOf(l), answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		head, err := readHead(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.heads = append(r.heads, head)
		answer := r.answer
		r.mu.Unlock()
		if skipBody(in, head) != nil {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func readHead(in *bufio.Reader) (string, error) {
	var head strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line == "\r\n" {
			return head.String(), nil
		}
		head.WriteString(line)
	}
}

func skipBody(in *bufio.Reader, head string) error {
	if length, ok := headerOf(head, "content-length"); ok {
		n, err := strconv.Atoi(length)
		if err != nil {
			return err
		}
		_, err = in.Discard(n)
		return err
	}
	if _, chunked := headerOf(head, "transfer-encoding"); !chunked {
		return nil
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "0\r\n" {
			_, _ = readHead(in)
			return err
		}
	}
}

// headerOf gives a header's value, by its name in any case.
func headerOf(head, name string) (string, bool) {
	for line := range strings.Lines(head) {
		if n, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// answers sets what the application says from now on.
func (r *recorder) answers(answer string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// take gives what has come since it was last asked, and forgets it.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	heads := r.heads
	r.heads = nil
	return heads
}

// pathIn is what a request line asks for.
func pathIn(head string) string {
	_, rest, _ := strings.Cut(head, " ")
	path, _, _ := strings.Cut(rest, " HTTP/")
	return path
}

// statusOf gives the status code of an answer, "" if there is none.
func statusOf(answer string) string {
	_, rest, _ := strings.Cut(answer, " ")
	return rest[:min(3, len(rest))]
}
