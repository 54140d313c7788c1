// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/openservicemesh/mesh-apiserver/test/pki"
)

// authority is a throwaway CA that writes its certificates into a directory.
type authority struct {
	*pki.Authority
	dir string
	// File is the CA's own certificate.
	File string
}

// pair names the files of a certificate and its key.
type pair struct {
	Cert, Key string
}

func newAuthority(dir, name string) (*authority, error) {
	ca, err := pki.NewAuthority(name)
	if err != nil {
		return nil, err
	}
	a := &authority{ca, dir, filepath.Join(dir, name+".crt")}
	return a, write(a.File, ca.Certificate)
}

// issue makes a certificate for both ends. The organisations are a client's groups.
func (a *authority) issue(file, name string, groups []string, addresses ...string) (pair, error) {
	issued, err := a.Issue(pki.Leaf{Name: name, Groups: groups, Addresses: addresses})
	if err != nil {
		return pair{}, err
	}
	p := pair{Cert: filepath.Join(a.dir, file+".crt"), Key: filepath.Join(a.dir, file+".key")}
	if err := write(p.Cert, issued.Certificate); err != nil {
		return pair{}, err
	}
	return p, write(p.Key, issued.Key)
}

func write(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
