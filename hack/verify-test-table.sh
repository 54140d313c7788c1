#!/usr/bin/env bash
# Checks that every test, file and golden pair that test/README.md names exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=0
tests=$(grep -rhoE '^func (Test|Fuzz|Benchmark)[A-Za-z0-9_]+' --include='*_test.go' apis apiserver registry artifacts hack test | sed 's/^func //' | sort -u)
while read -r name; do
  grep -qx "$name" <<<"$tests" || { echo "test/README.md names the test $name, which is not there" >&2; missing=1; }
done < <(grep -oE '\b(Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]+' test/README.md | sort -u)

while read -r file; do
  [ -e "test/integration/$file" ] || [ -e "apiserver/controller/$file" ] ||
    { echo "test/README.md names the file $file, which is not there" >&2; missing=1; }
done < <(grep -oE '`[a-z0-9_/]+_test\.go`' test/README.md | tr -d '`' | sort -u)

# Goldens stand in cells that say "golden" or "goldens", before a semicolon.
while read -r name; do
  compgen -G "apiserver/controller/*/testdata/$name.in.yaml" >/dev/null ||
    { echo "test/README.md names the golden pair $name, which is not there" >&2; missing=1; }
done < <(grep -oE 'goldens? (`[a-z0-9-]+`(, )?)+' test/README.md | grep -oE '`[a-z0-9-]+`' | tr -d '`' | sort -u)
exit $missing
