#!/bin/bash
# What a careful script does for each step: checkpoint tag, record, command, commit, verify, record; objects, refs and
# records are as durable as Towpath makes them.
# usage: shell-loop.sh REPOSITORY STEPS MANIFEST   (MANIFEST: a 4 KB file that is rewritten durably)
set -euo pipefail
cd "$1"
steps=$2
manifest=$3

export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.fsync GIT_CONFIG_VALUE_0=loose-object,reference

record() {
  dd if="$manifest" of="$manifest.tmp" conv=fsync status=none
  mv "$manifest.tmp" "$manifest"
  sync "$(dirname "$manifest")"
}

for ((i = 1; i <= steps; i++)); do
  git update-ref "refs/tags/bench/s$i/pre" HEAD 0000000000000000000000000000000000000000
  record
  bash -e -o pipefail -c "echo $i > a.txt"
  git add --all
  git -c user.name=Bench -c user.email=bench@example.org commit --quiet --message="s$i"
  bash -e -o pipefail -c true
  record
done
