// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"encoding/json"
	"fmt"
)

// generationRecord is one port's part of a record.
type generationRecord struct {
	Name string `json:"name"`
	// Access is a hash of the TCP access that the chain has now.
	Access string `json:"access"`
}

// Record is what must be known of a view after a restart, for its chains to keep
// their names: JSON, at most 80 bytes a port. It speaks only of ports whose name
// is not that of their access, which are those that have widened since they last
// narrowed; it is nil if there are none.
func (g Generations) Record() ([]byte, error) {
	ports := map[uint16]generationRecord{}
	for port, generation := range g {
		access := generation.recorded
		if access == "" {
			access = generation.access.hash("")
		}
		if access[:len(generation.Name)] != generation.Name {
			ports[port] = generationRecord{Name: generation.Name, Access: access}
		}
	}
	if len(ports) == 0 {
		return nil, nil
	}
	return json.Marshal(ports)
}

// ReadRecord gives the Generations of a Record. A port whose access has changed
// since then gets a new name, be it wider or narrower: what it was is not known.
func ReadRecord(record []byte) (Generations, error) {
	ports := map[uint16]generationRecord{}
	if err := json.Unmarshal(record, &ports); err != nil {
		return nil, fmt.Errorf("read the record of filter chains: %w", err)
	}
	generations := Generations{}
	for port, recorded := range ports {
		if len(recorded.Name) != 8 || len(recorded.Access) != 32 {
			return nil, fmt.Errorf("read the record of filter chains: port %d lacks a part", port)
		}
		generations[port] = Generation{Name: recorded.Name, recorded: recorded.Access}
	}
	return generations, nil
}
