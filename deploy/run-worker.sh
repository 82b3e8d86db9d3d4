#!/bin/bash
# Runs a worker in a data directory of its own: of those below /data the first that no other worker holds, so that many
# workers can share a volume, and each finds its host again. Held by a lock that ends with this process.
set -euo pipefail

if [ -z "${TOWPATH_DATA_DIR:-}" ]; then
  for number in {1..1000}; do
    mkdir -p -m 700 "/data/$number"
    exec {lock}>"/data/$number/in-use"
    if flock --nonblock "$lock"; then
      export TOWPATH_DATA_DIR="/data/$number"
      break
    fi
    exec {lock}>&-
  done
fi
: "${TOWPATH_DATA_DIR:?no data directory is free below /data}"

# Not replaced by the worker: what its commands leave behind is adopted by this process, and reaped.
towpath worker {lock}>&- &
worker=$!
trap 'kill -TERM "$worker" 2>/dev/null || true' TERM INT
code=0
while kill -0 "$worker" 2>/dev/null; do
  wait "$worker" && code=0 || code=$?
done
exit "$code"
