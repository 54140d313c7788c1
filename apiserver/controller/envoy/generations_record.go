// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"encoding/json"
	"fmt"
	"strings"
)

// generationRecord is one port's part of a record.
type generationRecord struct {
	Name      string `json:"name"`
	Plaintext string `json:"plaintext"`
	// Access and PlaintextAccess are hashes of the access that the two chains
	// have now.
	Access          string `json:"access"`
	PlaintextAccess string `json:"plaintextAccess"`
}

// Record is what must be known of a view after a restart, for its chains to keep
// their names: JSON, at most 200 bytes a port. It speaks only of ports of which a
// name is not that of its access, which are those that have widened since they
// last narrowed; it is nil if there are none.
func (g Generations) Record() ([]byte, error) {
	ports := map[uint16]generationRecord{}
	for port, generation := range g {
		record := generationRecord{
			Name: generation.Name, Access: generation.tcp.digest(),
			Plaintext: generation.Plaintext, PlaintextAccess: generation.plaintext.digest(),
		}
		if !strings.HasPrefix(record.Access, nameOnly(record.Name)) || !strings.HasPrefix(record.PlaintextAccess, nameOnly(record.Plaintext)) {
			ports[port] = record
		}
	}
	if len(ports) == 0 {
		return nil, nil
	}
	return json.Marshal(ports)
}

// nameOnly leaves out the access mode that pods chose.
func nameOnly(chain string) string {
	name, _, _ := strings.Cut(chain, "/")
	return name
}

// ReadRecord gives the Generations of a Record. A port whose access has changed
// since then gets a new name, be it wider or narrower: what it was is not known.
func ReadRecord(record []byte) (Generations, error) {
	ports := map[uint16]generationRecord{}
	if err := json.Unmarshal(record, &ports); err != nil {
		return nil, fmt.Errorf("read the record of filter chains: %w", err)
	}
	generations := Generations{}
	for port, r := range ports {
		if len(nameOnly(r.Name)) != 8 || len(nameOnly(r.Plaintext)) != 8 || len(r.Access) != 32 || len(r.PlaintextAccess) != 32 {
			return nil, fmt.Errorf("read the record of filter chains: port %d lacks a part", port)
		}
		generations[port] = Generation{
			Name: r.Name, tcp: lastAccess{recorded: r.Access},
			Plaintext: r.Plaintext, plaintext: lastAccess{recorded: r.PlaintextAccess},
		}
	}
	return generations, nil
}
