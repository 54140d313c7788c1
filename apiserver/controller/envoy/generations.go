// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package envoy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/model"
)

// Generations says, for each inbound port of a workload, under which access its
// TCP chain was last made anew. Envoy asks a TCP connection's access once, so
// the connections that a narrower access refuses end only with their chain: a
// chain gets a new name (and its connections end) when access narrows, and
// keeps the name when it widens.
//
// It is the only memory of this package, and the caller keeps it: one value a
// view, replaced by NextGenerations when the workload changes, and its Record
// through a restart.
type Generations map[uint16]Generation

// Generation is one port's.
type Generation struct {
	// Name is 8 hex digits, a hash of the TCP access that the chain began with,
	// and "/" and the access mode that the pods themselves chose, if they did: a
	// pod that chooses another finds no chain of the name it had.
	Name string
	tcp  lastAccess
	// Plaintext is the same for the chain of callers without an identity.
	Plaintext string
	plaintext lastAccess
}

// lastAccess is the access that a chain had last.
type lastAccess struct {
	tcpAccess
	// recorded is set if it was read from a record: the hash of the access,
	// which itself is not known.
	recorded string
	heard    heard
	// retired are the last names that the chain had before, oldest first.
	retired []string
}

// NextGenerations compares what w admits with what was admitted before. prev is
// nil for a workload that was not there.
func NextGenerations(prev Generations, w model.Workload) Generations {
	next := Generations{}
	for _, p := range w.Ports {
		old, known := prev[p.Number]
		var g Generation
		g.Name, g.tcp = nextChain(known, old.Name, old.tcp, tcpAccessOf(p.Access), p.PodAccess)
		g.Plaintext, g.plaintext = nextChain(known, old.Plaintext, old.plaintext, anonymousAccessOf(p.Access), p.PodAccess)
		next[p.Number] = g
	}
	return next
}

// nextChain gives a chain's name under an access, and what is known of it then.
func nextChain(known bool, oldName string, old lastAccess, access tcpAccess, podAccess model.AccessMode) (string, lastAccess) {
	name := chainName(known, oldName, old, access, podAccess)
	next := lastAccess{tcpAccess: access, heard: old.heard, retired: old.retired}
	if known && name != oldName {
		next.retire(oldName)
	}
	return next.agree(name, podAccess), next
}

func chainName(known bool, oldName string, old lastAccess, access tcpAccess, podAccess model.AccessMode) string {
	if known && old.within(access) {
		return oldName
	}
	name := access.name("") + chosen(podAccess)
	if known && name == oldName {
		// It widened and is again what it was: the connections between must end.
		name = access.name(oldName) + chosen(podAccess)
	}
	return name
}

// chosen is what the pods' own access mode adds to a name.
func chosen(podAccess model.AccessMode) string {
	if podAccess == "" {
		return ""
	}
	return "/" + string(podAccess)
}

// within is true if access admits whoever was admitted. Of a recorded access
// that is known only if nothing has changed.
func (l lastAccess) within(access tcpAccess) bool {
	if l.recorded != "" {
		return l.recorded == access.hash("")
	}
	return access.includes(l.tcpAccess)
}

// digest is the hash of the access, known or recorded.
func (l lastAccess) digest() string {
	if l.recorded != "" {
		return l.recorded
	}
	return l.hash("")
}

// tcpAccess is what counts for a connection, each list being alternatives.
type tcpAccess struct {
	closed      bool
	deny, allow []caller
}

// caller is one identity (or prefix of identities; "" with prefix is anybody)
// at one IP block, "" being everywhere.
type caller struct {
	id     string
	prefix bool
	block  string
}

// tcpAccessOf is what counts for callers by mutual TLS.
func tcpAccessOf(a model.Access) tcpAccess {
	return accessOf(a, func(s model.Source) bool { return !s.Anonymous })
}

// anonymousAccessOf is what counts for callers in plaintext: a source looks at
// their address alone.
func anonymousAccessOf(a model.Access) tcpAccess {
	t := accessOf(a, func(s model.Source) bool {
		return s.Anonymous || s.OrAnonymous || len(s.Principals) == 0 && !s.Authenticated
	})
	for _, list := range [][]caller{t.deny, t.allow} {
		for i := range list {
			list[i].id, list[i].prefix = "", true
		}
	}
	return t
}

// accessOf reads the sources that may match a kind of caller.
func accessOf(a model.Access, may func(model.Source) bool) tcpAccess {
	t := tcpAccess{closed: a.Closed}
	for _, r := range a.Deny {
		if len(permissions(r.To, denyConnection)) > 0 {
			t.deny = append(t.deny, callers(r.From, may)...)
		}
	}
	if !a.Closed {
		return t
	}
	for _, r := range a.Allow {
		if len(r.From) > 0 && len(permissions(r.To, allowConnection)) > 0 {
			t.allow = append(t.allow, callers(r.From, may)...)
		}
	}
	return t
}

func callers(from []model.Source, may func(model.Source) bool) []caller {
	if len(from) == 0 {
		return []caller{{prefix: true}}
	}
	var out []caller
	for _, s := range from {
		if !may(s) {
			continue
		}
		principals := s.Principals
		if len(principals) == 0 {
			principals = []model.Principal{{Prefix: true}}
		}
		blocks := []string{""}
		if len(s.IPBlocks) > 0 {
			blocks = nil
		}
		for _, b := range s.IPBlocks {
			blocks = append(blocks, b.CIDR+" except "+strings.Join(b.Except, ","))
		}
		for _, p := range principals {
			for _, b := range blocks {
				out = append(out, caller{id: p.ID, prefix: p.Prefix, block: b})
			}
		}
	}
	return out
}

// includes is true if whoever passed before passes now.
func (t tcpAccess) includes(before tcpAccess) bool {
	if !allCovered(t.deny, before.deny) {
		return false
	}
	return !t.closed || before.closed && allCovered(before.allow, t.allow)
}

func allCovered(callers, by []caller) bool {
	for _, c := range callers {
		if !c.coveredByAny(by) {
			return false
		}
	}
	return true
}

func (c caller) coveredByAny(by []caller) bool {
	for _, b := range by {
		if b.covers(c) {
			return true
		}
	}
	return false
}

func (c caller) covers(d caller) bool {
	if c.block != "" && c.block != d.block {
		return false
	}
	if c.prefix {
		return strings.HasPrefix(d.id, c.id)
	}
	return !d.prefix && c.id == d.id
}

func (c caller) compare(d caller) int {
	return cmp.Or(cmp.Compare(c.id, d.id), cmp.Compare(c.block, d.block), cmp.Compare(strconv.FormatBool(c.prefix), strconv.FormatBool(d.prefix)))
}

func (t tcpAccess) name(salt string) string { return t.hash(salt)[:8] }

// hash gives 32 hex digits.
func (t tcpAccess) hash(salt string) string {
	slices.SortFunc(t.deny, caller.compare)
	slices.SortFunc(t.allow, caller.compare)
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v%s", t, salt))
	return hex.EncodeToString(sum[:16])
}
