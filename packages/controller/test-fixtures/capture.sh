#!/usr/bin/env bash
# Captures what Apache Kafka 4.4 writes into __cluster_metadata-0 when a node is killed, started, stopped and started.
#
#   KAFKA=/path/to/kafka ./capture.sh      `kafka` is the script that starts a broker from Maven Central (see compat/)
#
# Writes restarts.jsonl: offset and payload of each record, as DumpLogSegments prints them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
port=${PORT:-19396}
broker=0
start() {
  "$KAFKA" start "$work" "$port" metadata.max.idle.interval.ms=0 >>"$work/out" 2>&1 &
  broker=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.5; done
  sleep 6 # until the node is unfenced
}
stop() {
  kill "-$1" "$broker"
  wait "$broker" || true
}
trap 'kill $broker 2>/dev/null || true' EXIT
start
"$KAFKA" tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$port" --create --topic t --partitions 2
stop KILL
start
stop TERM
start
stop KILL
cp "$work/data/__cluster_metadata-0/00000000000000000000.log" "$work/"
"$KAFKA" tool org.apache.kafka.tools.DumpLogSegments --cluster-metadata-decoder --files "$work/00000000000000000000.log" |
  sed -n 's/^| offset: \([0-9]*\) .* payload: \({.*}\)$/{"offset":\1,"record":\2}/p' >"$here/restarts.jsonl"
rm -rf "$work"
