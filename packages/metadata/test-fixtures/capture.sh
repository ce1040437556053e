#!/usr/bin/env bash
# Captures a fresh __cluster_metadata-0 of Apache Kafka 4.4 and what Kafka's own decoder says about it.
#
#   KAFKA=/path/to/kafka ./capture.sh      `kafka` is the script that starts a broker from Maven Central (see compat/)
#
# Writes: cluster-metadata.log (one segment), bootstrap.checkpoint (the snapshot that formatting leaves),
#         cluster-metadata.jsonl and bootstrap.jsonl (offset and payload as DumpLogSegments prints them), meta.properties, quorum-state,
#         server.properties, describe-configs.tsv (what the broker described), config-values.jsonl (what Kafka's definitions accept)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${APACHE_KAFKA_CACHE:-$HOME/.cache/apache-kafka-oracle}
work=$(mktemp -d)
port=${PORT:-19394}
"$KAFKA" start "$work" "$port" authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer \
  super.users=User:ANONYMOUS metadata.max.idle.interval.ms=0 >"$work/out" 2>&1 &
broker=$!
trap 'kill $broker 2>/dev/null || true' EXIT
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.5; done
java -cp "$cache/server/*" -Dorg.slf4j.simpleLogger.defaultLogLevel=error "$here/Capture.java" "127.0.0.1:$port" >"$here/describe-configs.tsv"
java -cp "$cache/server/*" -Dorg.slf4j.simpleLogger.defaultLogLevel=off "$here/ConfigValues.java" >"$here/config-values.jsonl"
kill "$broker"
wait "$broker" || true
log=$work/data/__cluster_metadata-0
cp "$log/00000000000000000000.log" "$here/cluster-metadata.log"
cp "$log/00000000000000000000-0000000000.checkpoint" "$here/bootstrap.checkpoint"
cp "$log/quorum-state" "$work/data/meta.properties" "$work/server.properties" "$here/"
chmod u+w "$here"/*
dump() {
  "$KAFKA" tool org.apache.kafka.tools.DumpLogSegments --cluster-metadata-decoder --files "$1" |
    sed -n 's/^| offset: \([0-9]*\) .* payload: \({.*}\)$/{"offset":\1,"record":\2}/p'
}
dump "$log/00000000000000000000.log" >"$here/cluster-metadata.jsonl"
cp "$log/00000000000000000000-0000000000.checkpoint" "$work/"
dump "$work/00000000000000000000-0000000000.checkpoint" >"$here/bootstrap.jsonl"
rm -rf "$work"
