#!/usr/bin/env bash
# Writes the tables of test/README.md that are made of golden files: between
# "<!-- goldens: SECTION -->" and "<!-- end -->". The comment at the head of a golden
# input says what it holds:
#
#   # Line (SECTION): a line of the design
#   # Tests: what holds the line beside the golden
#
# Goldens with the same line share a row. What has no line is in the section "Further":
# its comment is its line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readme=${1:-test/README.md}

rows=$(awk '
  function flush() {
    if (name != "" && !lined) print "Further\t" sentence "\t" name "\t"
    name = ""
  }
  FNR == 1 {
    flush()
    name = FILENAME
    sub(/\/in\.yaml$|\.in\.yaml$/, "", name); sub(/.*\//, "", name)
    sentence = ""; lined = 0; head = 1
  }
  head && /^# Line \(/ {
    lined = 1
    section = $0; sub(/^# Line \(/, "", section); sub(/\): .*/, "", section)
    line = $0; sub(/^# Line \([^)]*\): /, "", line)
    print section "\t" line "\t" name "\t"
    next
  }
  head && /^# Tests: / { tests = $0; sub(/^# Tests: /, "", tests); print section "\t" line "\t\t" tests; next }
  head && /^#/ { text = $0; sub(/^# ?/, "", text); sentence = sentence (sentence == "" ? "" : " ") text; next }
  { head = 0 }
  END { flush() }
' apiserver/controller/testdata/features/*/in.yaml apiserver/controller/*/testdata/*.in.yaml | LC_ALL=C sort -s -t $'\t' -k1,2)

written=$(ROWS="$rows" awk '
  BEGIN {
    n = split(ENVIRON["ROWS"], all, "\n")
    for (i = 1; i <= n; i++) {
      split(all[i], f, "\t")
      key = f[1] "\t" f[2]
      if (!(key in seen)) { seen[key] = ++rows; section[rows] = f[1]; line[rows] = f[2] }
      row = seen[key]
      if (f[3] != "") goldens[row] = goldens[row] (goldens[row] == "" ? "" : ", ") "`" f[3] "`"
      if (f[4] != "") tests[row] = tests[row] (tests[row] == "" ? "" : ", ") f[4]
    }
  }
  /^<!-- goldens: .* -->$/ {
    print
    wanted = $0; sub(/^<!-- goldens: /, "", wanted); sub(/ -->$/, "", wanted)
    print "| line | golden and tests |"; print "|---|---|"
    for (row = 1; row <= rows; row++) if (section[row] == wanted) {
      print "| " line[row] " | " (goldens[row] ~ /,/ ? "goldens " : "golden ") goldens[row] (tests[row] == "" ? "" : "; " tests[row]) " |"
      shown[wanted] = 1
    }
    skip = 1
    next
  }
  /^<!-- end -->$/ { skip = 0 }
  !skip
  END {
    for (row = 1; row <= rows; row++) if (!(section[row] in shown)) {
      print "no table is for the section \"" section[row] "\"" > "/dev/stderr"
      exit 1
    }
  }
' "$readme")
printf '%s\n' "$written" >"$readme"
