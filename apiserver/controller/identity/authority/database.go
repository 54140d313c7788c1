// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"

	"github.com/openservicemesh/mesh-apiserver/apiserver/controller/identity/root"
)

// errUnread says that nothing has told yet which database the mesh has used.
var errUnread = errors.New("the root's Secret, which remembers the mesh's database, has not been read")

// DatabaseFunc asks the server's database which one it is.
type DatabaseFunc func(context.Context) (root.Database, error)

// verdict is what the comparison of the present database with the remembered one
// has given. It outlives a Secret that is lost later.
type verdict struct {
	// database is the ID of the database that was compared.
	database string
	// fault is why it must not be acted on, nil if it may.
	fault error
}

// Database gives the ID of the database that was confirmed, or why what is in the
// present one must not be acted on.
func (a *Authority) Database() (id string, fault error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.verdict.database, a.verdict.fault
}

// TakeAnyDatabase is for a host that has no place for a root: no pod has
// been in the mesh, so there is nothing that a lost database could open.
func (a *Authority) TakeAnyDatabase() { a.judge(context.Background(), verdict{}) }

// OnDatabase calls f after each change of what Database gives. Calls are never
// concurrent; f must not block.
func (a *Authority) OnDatabase(f func()) {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.judged = append(a.judged, f)
}

// CompareDatabase has the present database compared with the remembered one again.
func (a *Authority) CompareDatabase() { a.queue.Add(item) }

// confirm compares the present database with the one that the Secret remembers, and
// writes what that is to remember from now on. A database that does not answer
// changes no verdict, and is an error only while there is none.
func (a *Authority) confirm(ctx context.Context, k root.Kept) (root.Kept, error) {
	present, err := a.database(ctx)
	if err != nil {
		if _, fault := a.Database(); errors.Is(fault, errUnread) {
			return k, err
		}
		klog.FromContext(ctx).Error(err, "Compare the database with the one that the mesh has used")
		return k, nil
	}
	next, foreign := k.Confirm(present)
	accepted := foreign == nil && k.Accepted == present.ID && k.Database != present.ID
	if next.Database != k.Database || next.Accepted != k.Accepted {
		if k, err = k.Update(ctx, a.client, next); err != nil {
			return k, fmt.Errorf("remember the database: %w", err)
		}
	}
	if foreign != nil {
		foreign = fmt.Errorf("%w: proxies keep what they have and are sent nothing new, and no pod is injected; restore a snapshot, or apply settings and policies again and then accept this database: "+
			"kubectl -n %s annotate secret %s --overwrite %s=%s", foreign, a.namespace, root.SecretName, root.AcceptAnnotation, present.ID)
	}
	if accepted {
		a.event(corev1.EventTypeNormal, "DatabaseAccepted", "Compare", "%s is the mesh's database from now on; copy the Secret", present.ID)
	}
	a.judge(ctx, verdict{database: present.ID, fault: foreign})
	return k, nil
}

// judge makes a verdict the present one, and tells those who listen.
func (a *Authority) judge(ctx context.Context, next verdict) {
	a.telling.Lock()
	defer a.telling.Unlock()
	a.mu.Lock()
	last := a.verdict
	a.verdict = next
	a.mu.Unlock()
	observeDatabase(next)
	if last.database == next.database && sameFault(last.fault, next.fault) {
		return
	}
	switch {
	case next.fault != nil:
		klog.FromContext(ctx).Error(next.fault, "Proxies are sent nothing new")
		a.event(corev1.EventTypeWarning, "DatabaseLost", "Compare", "%v", next.fault)
	case last.fault != nil && next.database != "":
		klog.FromContext(ctx).Info("The database is the mesh's", "id", next.database)
	}
	for _, f := range a.judged {
		f()
	}
}

func sameFault(a, b error) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error()
}
