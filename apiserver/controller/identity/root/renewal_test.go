// Copyright The mesh-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package root

import (
	"bytes"
	"testing"
	"time"
)

func TestStepsOfARenewal(t *testing.T) {
	signing, next, previous := generate(t), generate(t), generate(t)
	stable := Keyring{Signing: signing, Longest: 24 * time.Hour}
	spreading := Keyring{Signing: signing, Longest: 24 * time.Hour, Next: next, Published: now.Add(-time.Hour)}
	retiring := Keyring{Signing: signing, Longest: 24 * time.Hour, Previous: previous.certificate, Until: now.Add(time.Hour)}
	// All that could be waited for has come.
	ripe := Facts{Now: now, Serving: now.Add(-time.Hour), PublishFor: 5 * time.Minute, Published: true}
	third := signing.NotAfter().Add(-Life / 3)

	for name, tc := range map[string]struct {
		ring Keyring
		bend func(*Keyring, *Facts)
		want Step
	}{
		"one root, two thirds of its life left":           {stable, func(*Keyring, *Facts) {}, Hold},
		"one root, a third of its life left":              {stable, func(_ *Keyring, f *Facts) { f.Now = third }, Hold},
		"one root, less than a third of its life left":    {stable, func(_ *Keyring, f *Facts) { f.Now = third.Add(time.Second) }, Begin},
		"one root, its operator asks":                     {stable, func(k *Keyring, _ *Facts) { k.Requested = true }, Begin},
		"a leaf longer than all before":                   {stable, func(_ *Keyring, f *Facts) { f.Asked = 48 * time.Hour }, Lengthen},
		"a leaf as long as one before":                    {stable, func(_ *Keyring, f *Facts) { f.Asked = 24 * time.Hour }, Hold},
		"a next root, not in the bundle yet":              {spreading, func(k *Keyring, f *Facts) { k.Published, f.Published = time.Time{}, false }, Hold},
		"a next root, in the bundle for the first time":   {spreading, func(k *Keyring, _ *Facts) { k.Published = time.Time{} }, Note},
		"a next root that the bundle has lost":            {spreading, func(_ *Keyring, f *Facts) { f.Published = false }, Forget},
		"a next root, published for less than 5 minutes":  {spreading, func(k *Keyring, _ *Facts) { k.Published = now.Add(-299 * time.Second) }, Hold},
		"a next root, published for 5 minutes":            {spreading, func(k *Keyring, _ *Facts) { k.Published = now.Add(-5 * time.Minute) }, Promote},
		"a next root, published by a clock that is ahead": {spreading, func(k *Keyring, _ *Facts) { k.Published = now.Add(time.Hour) }, Hold},
		"a next root that one proxy has not ACKed":        {spreading, func(_ *Keyring, f *Facts) { f.Waiting = 1 }, Hold},
		"a next root, no proxy can connect":               {spreading, func(_ *Keyring, f *Facts) { f.Serving = time.Time{} }, Hold},
		"a next root, the server has just started":        {spreading, func(_ *Keyring, f *Facts) { f.Serving = now.Add(-59 * time.Second) }, Hold},
		"a next root, the server started a minute ago":    {spreading, func(_ *Keyring, f *Facts) { f.Serving = now.Add(-time.Minute) }, Promote},
		"a next root that has ended":                      {spreading, func(_ *Keyring, f *Facts) { f.Now = next.NotAfter() }, Hold},
		"a next root, and the operator asks again":        {spreading, func(k *Keyring, f *Facts) { k.Requested, f.Waiting = true, 1 }, Hold},
		"a previous root whose leaves may live":           {retiring, func(k *Keyring, _ *Facts) { k.Until = now.Add(time.Second) }, Hold},
		"a previous root whose leaves have ended":         {retiring, func(k *Keyring, _ *Facts) { k.Until = now }, Retire},
		"a previous root, how long was lost":              {retiring, func(k *Keyring, _ *Facts) { k.Until = time.Time{} }, Schedule},
		"a previous root, and the operator asks":          {retiring, func(k *Keyring, _ *Facts) { k.Requested = true }, Hold},
		"a next root put beside a previous one":           {retiring, func(k *Keyring, _ *Facts) { k.Next, k.Published = next, now.Add(-time.Hour) }, Hold},
	} {
		t.Run(name, func(t *testing.T) {
			k, f := tc.ring, ripe
			tc.bend(&k, &f)
			if got := k.Decide(f); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNextRootIsTrustedBeforeItSignsAndThePreviousAfter(t *testing.T) {
	first := Keyring{Signing: generate(t), Longest: 72 * time.Hour, Requested: true}
	f := Facts{Now: now}
	begun := after(t, first, Begin, f)
	if begun.Signing != first.Signing || begun.Next == nil || begun.Requested || begun.Phase() != Spreading {
		t.Errorf("begun: got %+v, want a next root that does not sign", begun)
	}
	if want := append(first.Signing.PEM(), begun.Next.PEM()...); !bytes.Equal(begun.PEM(), want) {
		t.Error("begun: both are not trusted")
	}
	if noted := after(t, begun, Note, f); !noted.Published.Equal(now) {
		t.Errorf("noted: published since %s", noted.Published)
	}

	promoted := after(t, begun, Promote, f)
	if promoted.Signing != begun.Next || promoted.Next != nil || promoted.Phase() != Retiring {
		t.Errorf("promoted: got %+v, want the next root to sign", promoted)
	}
	if !bytes.Equal(promoted.PEM(), begun.PEM()) {
		t.Error("promoted: other certificates are trusted, or in another order")
	}
	if want := now.Add(72*time.Hour + clockSkew); !promoted.Until.Equal(want) {
		t.Errorf("promoted: the previous root stays until %s, want %s", promoted.Until, want)
	}
	if promoted.Longest != usualLeafLife {
		t.Errorf("promoted: the new root begins with leaves of %s", promoted.Longest)
	}

	retired := after(t, promoted, Retire, f)
	if retired.Phase() != Stable || !bytes.Equal(retired.PEM(), promoted.Signing.PEM()) {
		t.Errorf("retired: got %+v, want the new root alone", retired)
	}
}

func TestPreviousRootIsNotKeptBeyondItsOwnEnd(t *testing.T) {
	k := Keyring{Signing: generate(t), Next: generate(t), Longest: MaxLeafLife}
	late := k.Signing.NotAfter().Add(-time.Hour)
	if got := after(t, k, Promote, Facts{Now: late}).Until; !got.Equal(k.Signing.NotAfter()) {
		t.Errorf("until %s, want %s", got, k.Signing.NotAfter())
	}
}

func after(t *testing.T, k Keyring, s Step, f Facts) Keyring {
	t.Helper()
	got, err := k.After(s, f)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
