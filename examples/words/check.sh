#!/bin/bash
# Counts the words of FILE once more, with the usual tools, and compares: COUNTS is what the demo wrote.
#
#     check.sh FILE COUNTS
set -euo pipefail
export LC_ALL=C
file=$1 counts=$2
expected=$(mktemp)
trap 'rm -f "$expected"' EXIT

# (A text that doesn't begin with a letter gives one empty line, which sed takes out.)
tr -cs 'A-Za-z' '\n' <"$file" | sed '1{/^$/d}' | tr 'A-Z' 'a-z' | sort | uniq -c | sort -k1,1nr -k2 >"$expected"
if ! cmp -s "$expected" "$counts"; then
    echo "check.sh: not the same as sort | uniq -c, whose words are on the left:" >&2
    diff "$expected" "$counts" | head -20 >&2
    exit 1
fi
echo "checked: the same as sort | uniq -c, all $(wc -l <"$counts") words"
