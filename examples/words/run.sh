#!/bin/bash
# Runs the demo on FILE with two workers in Python and one in Rust, and checks the result. `make demo` calls it, when
# everything is built; Python must find the module madang.
#
#     run.sh FILE BUILD RUST_WORKER      BUILD: where the program `words` is, and its results go
set -euo pipefail
here=$(dirname "$0")
file=$1 build=$2 rust_worker=$3

if [ ! -f "$file" ] || [ ! -r "$file" ]; then
    echo "run.sh: $file: there is no such file, or it can't be read" >&2
    exit 1
fi
"$build/words" -k -o "$build/counts" -- "$file" "$here/worker.py" "$here/worker.py" "$rust_worker"
"$here/check.sh" "$file" "$build/counts"
