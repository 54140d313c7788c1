// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// Metrics are the values that a Prometheus endpoint shows, by their whole
// names, labels included.
type Metrics map[string]float64

// Stats reads the statistics of the pod's proxy, from outside the pod.
func (p *Pod) Stats(ctx context.Context) (Metrics, error) {
	return scrape(ctx, "http://"+net.JoinHostPort(p.IP, "15090")+"/stats/prometheus")
}

// scrape reads the metrics of a server.
func scrape(ctx context.Context, url string) (Metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	metrics := Metrics{}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", url, line, err)
		}
		metrics[line[:at]] = value
	}
	return metrics, lines.Err()
}

// Sum adds the values whose names hold all these parts.
func (m Metrics) Sum(parts ...string) float64 {
	total := 0.0
	for name, value := range m {
		if containsAll(name, parts) {
			total += value
		}
	}
	return total
}

func containsAll(name string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(name, part) {
			return false
		}
	}
	return true
}
