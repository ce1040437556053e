#!/bin/sh
# Makes the lz4 frames that no client of Kafka writes and the format allows, with the lz4 command (1.9.4).
set -eu
cd "$(dirname "$0")"
text=$(mktemp)
trap 'rm -f "$text"' EXIT
yes "Someone must have been telling tales about Josef K. " | tr -d '\n' | head -c 150000 >"$text"
lz4 -q -f -B4 -BD -BX --content-size "$text" linked.lz4     # blocks that refer to those before, all checksums, size
lz4 -q -f -B5 -BX "$text" checksums.lz4                     # independent blocks of 256 KiB, all checksums
