// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"errors"
	"fmt"
)

// ErrForeignDatabase says that the present database is not the one that the mesh
// has used: what it lacks would open the mesh.
var ErrForeignDatabase = errors.New("the database is not the mesh's")

// forgotten is remembered in the place of a database whose ID no server had
// written down when it was lost.
const forgotten = "unknown"

// Database is what the server's database says of itself.
type Database struct {
	// ID is random and made once, inside the database.
	ID string
	// Used tells that there are mesh objects in it.
	Used bool
}

// Confirm compares a database with the one that is remembered, and gives the
// Keyring to keep. What is remembered changes only when the operator has accepted
// the present database by its ID, or when nothing was remembered yet, as by
// servers that did not know of it. The error satisfies ErrForeignDatabase.
func (k Keyring) Confirm(d Database) (Keyring, error) {
	switch {
	case k.Database == d.ID, k.Accepted == d.ID, k.Database == "" && d.Used:
		k.Database, k.Accepted = d.ID, ""
		return k, nil
	case k.Database == "" || k.Database == forgotten:
		k.Database = forgotten
		return k, fmt.Errorf("%w: %s was empty when this server found it, though the mesh has had a root before", ErrForeignDatabase, d.ID)
	default:
		return k, fmt.Errorf("%w: this is %s, and the mesh has used %s", ErrForeignDatabase, d.ID, k.Database)
	}
}
