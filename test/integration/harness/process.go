// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/openservicemesh/mesh-apiserver/test/await"
)

// logTail is how much of a log is shown when its process fails, in bytes.
const logTail = 4000

// Process is a program that runs until it is stopped. It dies with the tests.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start runs a program with its output in a log file of the directory.
func start(dir, name, binary string, args ...string) (*Process, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &Process{name: name, cmd: exec.Command(binary, args...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		// How it ended is in ProcessState.
		_ = p.cmd.Wait()
	}()
	return p, nil
}

// PID is the process's id, by which the kernel tells what it uses.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the process to end, and waits until it has.
func (p *Process) Stop(ctx context.Context) error {
	return p.signalAndWait(ctx, syscall.SIGTERM)
}

// Kill ends it at once, as a lost machine would.
func (p *Process) Kill(ctx context.Context) error {
	return p.signalAndWait(ctx, syscall.SIGKILL)
}

func (p *Process) signalAndWait(ctx context.Context, signal syscall.Signal) error {
	if err := p.Signal(signal); err != nil {
		return err
	}
	// How it ended does not matter to who ends it.
	_, err := p.Wait(ctx)
	return err
}

// Signal sends a signal to the process, if it lives.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Wait waits for the end of the process and gives its exit code.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s did not end: %w\n%s", p.name, ctx.Err(), p.Log())
	}
}

// Log is the end of what the process has written.
func (p *Process) Log() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-logTail):])
}

// await waits until a condition holds or the process has ended.
func (p *Process) await(ctx context.Context, what string, condition func(context.Context) error) error {
	err := await.Until(ctx, what+" of "+p.name, func(ctx context.Context) error {
		select {
		case <-p.done:
			return await.Never(fmt.Errorf("it ended (%s)", p.cmd.ProcessState))
		default:
			return condition(ctx)
		}
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, p.Log())
	}
	return nil
}

// run executes a command and gives its output, which is in the error as well.
func run(ctx context.Context, stdin, binary string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdin = bytes.NewBufferString(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", filepath.Base(binary), err, out)
	}
	return string(out), nil
}
