#!/usr/bin/env bash
# Checks that the tables of test/README.md that are made of golden files are up to
# date, and that every test, file and golden that it names exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=0
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
cp test/README.md "$fresh"
hack/update-test-table.sh "$fresh"
diff -u test/README.md "$fresh" || { echo "test/README.md is out of date: run make generate" >&2; missing=1; }

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
  compgen -G "apiserver/controller/*/testdata/$name.in.yaml" >/dev/null || [ -e "apiserver/controller/testdata/features/$name/in.yaml" ] ||
    { echo "test/README.md names the golden $name, which is not there" >&2; missing=1; }
done < <(grep -oE 'goldens? (`[a-z0-9-]+`(, )?)+' test/README.md | grep -oE '`[a-z0-9-]+`' | tr -d '`' | sort -u)
exit $missing
