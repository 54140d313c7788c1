// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// latencyRuns is how often each pair is loaded; they alternate.
const latencyRuns = 5

// pair is a client's Envoy and a server's, each in a namespace of its own, with
// an application behind the server's.
type pair struct {
	name, url string
	client    *netns
	running   []*exec.Cmd
	took      [2][]float64 // of each run, p50 and p99
}

// measureLatency sends requests at a fixed rate through a sidecar on each side,
// with what the server tells them, and through two Envoys of a hand-written
// configuration that does mTLS and nothing more.
func measureLatency(ctx context.Context, s *session) ([]Figure, error) {
	s.close(ctx)
	*s = session{profiles: s.profiles}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if err := s.makeNamespace(ctx); err != nil {
		return nil, fmt.Errorf("make the namespace: %w", err)
	}
	if err := makeBridge(ctx); err != nil {
		return nil, err
	}
	meshed, err := s.meshedPair(ctx)
	defer meshed.stop()
	if err != nil {
		return nil, fmt.Errorf("start the pair of sidecars: %w", err)
	}
	bare, err := s.barePair(ctx)
	defer bare.stop()
	if err != nil {
		return nil, fmt.Errorf("start the bare pair: %w", err)
	}
	pairs := []*pair{meshed, bare}
	for _, p := range pairs {
		if err := await(ctx, "a first answer by "+p.name, func(ctx context.Context) error {
			_, err := p.load(ctx, LoadConfig{URL: p.url, Rate: 100, Requests: 10})
			return err
		}); err != nil {
			return nil, err
		}
	}
	for range latencyRuns {
		for _, p := range pairs {
			took, err := p.load(ctx, LoadConfig{URL: p.url, Rate: 200, Warm: 200, Requests: 2000})
			if err != nil {
				return nil, fmt.Errorf("load %s: %w", p.name, err)
			}
			p.took[0], p.took[1] = append(p.took[0], quantile(took, 0.5)), append(p.took[1], quantile(took, 0.99))
		}
	}
	var figures []Figure
	for i, quantile := range []string{"p50", "p99"} {
		for _, p := range pairs {
			figures = append(figures, Figure{Name: p.name + ", " + quantile, Value: median(p.took[i]), Unit: "ms", Samples: latencyRuns})
		}
		ratio := Figure{Name: "ratio of the medians, " + quantile, Value: median(meshed.took[i]) / median(bare.took[i]), Unit: "×", Samples: latencyRuns}
		if i == 0 {
			ratio.Aim = atMost(1.1)
		}
		figures = append(figures, ratio)
	}
	return figures, nil
}

// meshedPair is two pods as the mesh makes them.
func (s *session) meshedPair(ctx context.Context) (*pair, error) {
	p := &pair{name: "pair of sidecars"}
	own, err := os.Executable()
	if err != nil {
		return p, err
	}
	var pods []*corev1.Pod
	for i, name := range []string{"client", "server"} {
		ns, err := newNetns(ctx, 10+i)
		if err != nil {
			return p, err
		}
		p.running = append(p.running, ns.holder)
		if i == 0 {
			p.client = ns
		} else if err := p.start(ns.command(ctx, own, "app")); err != nil {
			return p, err
		}
		if out, err := ns.command(ctx, own, "capture").CombinedOutput(); err != nil {
			return p, fmt.Errorf("redirect: %w: %s", err, out)
		}
		pod, err := s.runPod(ctx, name, ns.address)
		if err != nil {
			return p, err
		}
		pods = append(pods, pod)
		sidecar, err := s.newSidecarIn(ctx, ns, pod)
		if err != nil {
			return p, err
		}
		p.running = append(p.running, sidecar.cmd)
	}
	service, err := s.host.CoreV1().Services(manyNamespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: serviceName(0)},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "bench"},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 8080, TargetPort: intstr.FromInt32(8080)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return p, err
	}
	p.url = "http://" + service.Spec.ClusterIP + ":8080/books"
	_, err = s.host.DiscoveryV1().EndpointSlices(manyNamespace).Create(ctx, sliceOf(0, pods[1]), metav1.CreateOptions{})
	return p, err
}

// barePair is two Envoys that somebody has configured by hand.
func (s *session) barePair(ctx context.Context) (*pair, error) {
	p := &pair{name: "bare pair", url: "http://127.0.0.1:9000/books"}
	own, err := os.Executable()
	if err != nil {
		return p, err
	}
	for i, name := range []string{"bare-client", "bare-server"} {
		ns, err := newNetns(ctx, 20+i)
		if err != nil {
			return p, err
		}
		p.running = append(p.running, ns.holder)
		config := fmt.Sprintf(bareClient, "198.18.100.21")
		if i == 0 {
			p.client = ns
		} else {
			config = bareServer
			if err := p.start(ns.command(ctx, own, "app")); err != nil {
				return p, err
			}
		}
		pod, err := s.runPod(ctx, name, ns.address)
		if err != nil {
			return p, err
		}
		e, err := s.startEnvoyIn(ctx, ns, pod, config)
		if err != nil {
			return p, err
		}
		p.running = append(p.running, e.cmd)
	}
	return p, nil
}

func (p *pair) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	p.running = append(p.running, cmd)
	return nil
}

func (p *pair) stop() {
	for _, cmd := range p.running {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// load runs the load in the client's namespace and gives latencies in milliseconds.
func (p *pair) load(ctx context.Context, config LoadConfig) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	own, err := os.Executable()
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	var out, errors bytes.Buffer
	cmd := p.client.command(ctx, own, "load")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &errors
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, errors.String())
	}
	var took []float64
	return took, json.Unmarshal(out.Bytes(), &took)
}
