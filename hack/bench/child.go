// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// child is another program of a measurement. It ends with its standard input.
type child struct {
	name  string
	cmd   *exec.Cmd
	input io.WriteCloser
	lines chan string
}

// startChild runs this program as a helper, and hands it what it is to do.
func startChild(ctx context.Context, name string, config any) (*child, error) {
	c := &child{name: name, cmd: exec.CommandContext(ctx, "/proc/self/exe", name), lines: make(chan string, 10_000)}
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(c.lines)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			c.lines <- lines.Text()
		}
	}()
	if err := json.NewEncoder(c.input).Encode(config); err != nil {
		return nil, fmt.Errorf("tell %s what to do: %w", name, err)
	}
	return c, nil
}

func (c *child) next(ctx context.Context) (string, error) {
	select {
	case line, ok := <-c.lines:
		if !ok {
			return "", fmt.Errorf("%s has ended", c.name)
		}
		return line, nil
	case <-ctx.Done():
		return "", fmt.Errorf("wait for %s: %w", c.name, ctx.Err())
	}
}

// nextEvent is next, of clients.
func (c *child) nextEvent(ctx context.Context) (ClientsEvent, error) {
	var e ClientsEvent
	line, err := c.next(ctx)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return e, fmt.Errorf("read what %s says: %w", c.name, err)
	}
	if e.Error != "" {
		return e, fmt.Errorf("%s: %s", c.name, e.Error)
	}
	return e, nil
}

// stop ends the process and waits for it.
func (c *child) stop() {
	_ = c.input.Close()
	_ = c.cmd.Process.Kill()
	for range c.lines { //nolint:revive // what it still says is of no use
	}
	_ = c.cmd.Wait()
}
