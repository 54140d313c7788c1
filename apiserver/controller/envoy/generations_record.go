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

// Record is what must be known of a view after a restart, or at another server, for
// its chains to keep their names: JSON, at most 200 bytes a port. It speaks only of
// ports of which a name is not that of its access, which are those that have widened
// since they last narrowed; it is nil if there are none. Of a port of which there is
// nothing else to say it repeats what was heard of another server.
func (g Generations) Record() ([]byte, error) {
	ports := map[uint16]generationRecord{}
	for port, generation := range g {
		record := generationRecord{
			Name: generation.Name, Access: generation.tcp.digest(),
			Plaintext: generation.Plaintext, PlaintextAccess: generation.plaintext.digest(),
		}
		switch tcp, plaintext := generation.tcp.heard, generation.plaintext.heard; {
		case !record.isPlain():
			ports[port] = record
		case tcp.name != "" || plaintext.name != "":
			// One of the two may have been taken, and is what it is here.
			if tcp.name != "" {
				record.Name, record.Access = tcp.name, tcp.access
			}
			if plaintext.name != "" {
				record.Plaintext, record.PlaintextAccess = plaintext.name, plaintext.access
			}
			ports[port] = record
		}
	}
	if len(ports) == 0 {
		return nil, nil
	}
	return json.Marshal(ports)
}

// isPlain tells whether both names are those of their access.
func (r generationRecord) isPlain() bool {
	return strings.HasPrefix(r.Access, nameOnly(r.Name)) && strings.HasPrefix(r.PlaintextAccess, nameOnly(r.Plaintext))
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
