// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// ask sends one request to the proxy's admin interface, a unix socket, and gives
// status and body. It speaks as much of HTTP/1.1 as that takes: net/http would
// double the size of this program.
func ask(ctx context.Context, socket, method, target string) (status int, body string, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, target); err != nil {
		return 0, "", err
	}
	answer := textproto.NewReader(bufio.NewReader(io.LimitReader(conn, maxAnswer)))
	if status, err = readStatus(answer); err != nil {
		return 0, "", fmt.Errorf("read the answer to %s: %w", target, err)
	}
	if body, err = readBody(answer); err != nil {
		return 0, "", fmt.Errorf("read the answer to %s: %w", target, err)
	}
	return status, body, nil
}

func readStatus(answer *textproto.Reader) (int, error) {
	line, err := answer.ReadLine()
	if err != nil {
		return 0, err
	}
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || !strings.HasPrefix(version, "HTTP/1.") {
		return 0, fmt.Errorf("%q is no answer of HTTP/1.1", line)
	}
	return status, nil
}

func readBody(answer *textproto.Reader) (string, error) {
	header, err := answer.ReadMIMEHeader()
	if err != nil {
		return "", err
	}
	if header.Get("Transfer-Encoding") == "chunked" {
		return readChunks(answer)
	}
	// The connection ends with the answer.
	body, err := io.ReadAll(answer.R)
	return string(body), err
}

// readChunks reads a body in chunks (RFC 9112, 7.1) up to the last.
func readChunks(answer *textproto.Reader) (string, error) {
	var body strings.Builder
	for {
		line, err := answer.ReadLine()
		if err != nil {
			return "", err
		}
		size, err := strconv.ParseInt(line, 16, 32)
		if err != nil || size < 0 {
			return "", fmt.Errorf("%q is no size of a chunk", line)
		}
		if size == 0 {
			return body.String(), nil
		}
		if _, err := io.CopyN(&body, answer.R, size); err != nil {
			return "", err
		}
		if _, err := answer.ReadLine(); err != nil {
			return "", err
		}
	}
}
