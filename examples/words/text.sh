#!/bin/bash
# Makes a text of some 32 MiB for the demo from what every machine has: licences, documentation, manual pages, and, where
# these are few, header files; repeated until it is long enough. The same machine gives the same text.
#
#     text.sh FILE
set -euo pipefail
export LC_ALL=C
length=$((32 << 20))
text=$1
trap 'rm -f "$text.part" "$text.once"' EXIT

sources() {
    find /usr/share/common-licenses -type f -print0 | sort -z
    find /usr/share/doc -type f \( -name 'copyright' -o -name 'README*' -o -name 'NEWS*' \) -print0 | sort -z
    find /usr/share/man/man? -type f -print0 | sort -z
    find /usr/include -type f -name '*.h' -print0 | sort -z
}

mkdir -p "$(dirname "$text")"
# Some places may be missing, some files unreadable; and the rest isn't read once there is enough.
{ sources | xargs -0 zcat -f; } 2>/dev/null | head -c "$length" >"$text.once" || true
if [ ! -s "$text.once" ]; then
    echo "text.sh: this machine has no documentation: name a text of your own, as in: make demo FILE=book.txt" >&2
    exit 1
fi
: >"$text.part"
while [ "$(stat -c %s "$text.part")" -lt "$length" ]; do
    cat "$text.once" >>"$text.part"
done
mv "$text.part" "$text"
