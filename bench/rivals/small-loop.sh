#!/bin/bash
# usage: small-loop.sh REPOSITORY MANIFEST STEPS
set -euo pipefail
for ((i = 1; i <= $3; i++)); do
  /bin/true
  dd if=/dev/zero of="$2.tmp" bs=4096 count=1 conv=fsync status=none
  mv "$2.tmp" "$2"
  sync "$(dirname "$2")"
  git -C "$1" tag "small/s$i"
done
