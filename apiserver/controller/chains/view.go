// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chains

import "bytes"

// record is what etcd has of a view: nil, at revision 0, for nothing.
type record struct {
	data []byte
	// revision is etcd's mod revision, which a write compares.
	revision int64
}

// view is what is known of a view's record here and in etcd.
type view struct {
	// known is what etcd has, as was last heard, at the revision seen.
	known record
	seen  int64
	// base is the revision of the record that the server's generations take into account.
	base int64
	// kept is what the server decided last, nil for nothing, and pending tells that it is
	// to be written.
	kept    []byte
	pending bool
	// owed tells that another server's record is to be followed by one of ours, even if
	// that says what ours said before.
	owed bool
}

// keep takes in what the server has decided, and tells whether that is to be written.
// What it said before it does not say again: another server that has not seen all
// changes yet, or is ahead, would answer for ever.
func (v *view) keep(data []byte) bool {
	same := bytes.Equal(v.kept, data)
	if same && !v.owed {
		return v.pending
	}
	v.kept, v.owed = data, false
	v.pending = !bytes.Equal(v.known.data, data)
	return v.pending
}

// hear takes in what etcd has at a revision, and tells whether the server must hear of
// it.
func (v *view) hear(r record, at int64) bool {
	if at <= v.seen {
		return false
	}
	v.known, v.seen = r, at
	if bytes.Equal(v.kept, r.data) && !v.pending {
		v.base = r.revision
		return false
	}
	return true
}

// lose takes in that a write was refused, for the sake of what etcd has.
func (v *view) lose(r record, at int64) {
	v.known, v.seen = r, at
	v.pending, v.owed = false, true
}

// wrote takes in that etcd has taken a write. Another server's may have been heard
// meanwhile.
func (v *view) wrote(r record, at int64) {
	if at > v.seen {
		v.known, v.seen, v.base = r, at, r.revision
	}
	if bytes.Equal(v.kept, r.data) {
		v.pending = false
	}
}

func (v *view) isNothing() bool {
	return v.known.data == nil && v.kept == nil && !v.pending && !v.owed
}
