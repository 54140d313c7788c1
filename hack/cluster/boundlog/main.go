// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command boundlog copies its input to a file that never grows beyond a bound:
// when it is full it becomes FILE.1, in place of the one before.
//
//	some-server 2>&1 | boundlog FILE BYTES
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: boundlog FILE BYTES")
		os.Exit(2)
	}
	limit, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err == nil {
		err = copyBounded(os.Args[1], limit, os.Stdin)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "boundlog: %v\n", err)
		os.Exit(1)
	}
}

// copyBounded appends in, line by line, to the file called name until in ends.
func copyBounded(name string, limit int64, in io.Reader) error {
	out, size, err := openLog(name)
	if err != nil {
		return err
	}
	defer func() { out.Close() }()
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		// A line longer than the buffer comes in pieces, which is no harm.
		line, err := lines.ReadSlice('\n')
		if size > 0 && size+int64(len(line)) > limit {
			out.Close()
			if err := os.Rename(name, name+".1"); err != nil {
				return fmt.Errorf("put the full log aside: %w", err)
			}
			if out, size, err = openLog(name); err != nil {
				return err
			}
		}
		n, writeErr := out.Write(line)
		size += int64(n)
		switch {
		case writeErr != nil:
			return fmt.Errorf("write log: %w", writeErr)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("read input: %w", err)
		}
	}
}

func openLog(name string) (*os.File, int64, error) {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, 0, fmt.Errorf("open log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, fmt.Errorf("look at log: %w", err)
	}
	return file, info.Size(), nil
}
