#!/bin/bash
# Asks the worker of this container whether it runs.
set -euo pipefail
address="${TOWPATH_HEALTH_ADDRESS:?}"
exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'GET /healthz HTTP/1.0\r\nHost: %s\r\n\r\n' "$address" >&3
read -r _ status _ <&3
[ "$status" = 200 ]
