#!/bin/bash
# Puts the C library, and the one that serves System V's calls, where programs, pkg-config and CMake find it, and the command with its man pages and completions where
# shells and man do. `make install` calls it, when everything is built.
#
#     DESTDIR=… PREFIX=… LIBDIR=… INCLUDEDIR=… BINDIR=… DATADIR=… install.sh BUILT
#
# BUILT: where libmadang.so, libmadang.a, libmadang_sysv.so and madang lie
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
built=$1
lib=${DESTDIR-}$LIBDIR include=${DESTDIR-}$INCLUDEDIR bin=${DESTDIR-}$BINDIR share=${DESTDIR-}$DATADIR

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml")
# The ABI's number is the one in the soname (capi/build.rs).
abi=0
# 4 or 8 bytes: the library's ELF class says it.
pointer_size=$((4 * $(od --address-radix=n --skip-bytes=4 --read-bytes=1 --format=u1 "$built/libmadang.so")))
# CMake's files know no prefix, so that the whole may be moved.
include_from_lib=$(realpath --canonicalize-missing --relative-to="$LIBDIR" "$INCLUDEDIR")

# from_prefix DIRECTORY: as pkg-config's file has it, so that the whole may be moved (pkg-config --define-prefix).
from_prefix() {
    case $1 in
    "$PREFIX"/*) echo "\${prefix}${1#"$PREFIX"}" ;;
    *) echo "$1" ;;
    esac
}

# fill_in TEMPLATE DIRECTORY: installs it without the .in.
fill_in() {
    local file
    file=$2/$(basename "$1" .in)
    install -d "$2"
    sed -e "s|@PREFIX@|$PREFIX|; s|@LIBDIR@|$(from_prefix "$LIBDIR")|; s|@INCLUDEDIR@|$(from_prefix "$INCLUDEDIR")|" \
        -e "s|@VERSION@|$version|; s|@ABI@|$abi|; s|@POINTER_SIZE@|$pointer_size|" \
        -e "s|@INCLUDEDIR_FROM_LIBDIR@|$include_from_lib|" "$here/$1" >"$file"
    chmod 644 "$file"
}

install -d "$lib" "$include"
install -m 755 "$built/libmadang.so" "$lib/libmadang.so.$version"
ln -sf "libmadang.so.$version" "$lib/libmadang.so.$abi"
ln -sf "libmadang.so.$abi" "$lib/libmadang.so"
install -m 644 "$built/libmadang.a" "$lib/libmadang.a"
# It is loaded by LD_PRELOAD, and never linked with: it needs no version.
install -m 755 "$built/libmadang_sysv.so" "$lib/libmadang-sysv.so"
for header in madang.h madang_sysv.h; do
    install -m 644 "$here/../include/$header" "$include/$header"
done
fill_in madang.pc.in "$lib/pkgconfig"
fill_in madang-config.cmake.in "$lib/cmake/madang"
fill_in madang-config-version.cmake.in "$lib/cmake/madang"

install -d "$bin"
install -m 755 "$built/madang" "$bin/madang"
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
# The command itself has what they are made of.
"$built/madang" generate "$generated"
while IFS= read -r file; do
    install -D -m 644 "$generated/$file" "$share/$file"
done < <(cd "$generated" && find . -type f)
