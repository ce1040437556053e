import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListStreamsGroupOffsetsSpec;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.Stores;

/**
 * A small Kafka Streams application, run for a few seconds under each group protocol. It is a process of its own, because
 * the newest published Streams is older than the broker and brings its own clients.
 *
 * Arguments: bootstrap servers, an existing topic, a number that makes the application ids unique.
 */
public class DriveStreams {
    static <T> void ask(KafkaFuture<T> future) {
        try {
            future.get(8, TimeUnit.SECONDS);
        } catch (Exception error) {
            System.err.println("streams: " + error);
        }
    }

    public static void main(String[] args) throws Exception {
        Properties common = new Properties();
        common.put("bootstrap.servers", args[0]);
        common.put("client.id", "golden-streams");
        try (Admin admin = Admin.create(common)) {
            for (String protocol : List.of("streams", "classic")) {
                String id = "golden-streams-" + protocol + "-" + args[2];
                StreamsBuilder builder = new StreamsBuilder();
                builder.stream(args[1], Consumed.with(Serdes.String(), Serdes.String()))
                    .groupBy((key, value) -> value.substring(0, 1), Grouped.with(Serdes.String(), Serdes.String()))
                    .count(Materialized.as(Stores.inMemoryKeyValueStore("counts")));
                Properties p = new Properties();
                p.putAll(common);
                p.put("application.id", id);
                p.put("group.protocol", protocol);
                p.put("auto.offset.reset", "earliest");
                p.put("commit.interval.ms", "300");
                p.put("processing.guarantee", protocol.equals("classic") ? "exactly_once_v2" : "at_least_once");
                try (KafkaStreams streams = new KafkaStreams(builder.build(), p)) {
                    streams.start();
                    Thread.sleep(6000);
                    ask(admin.describeStreamsGroups(List.of(id)).all());
                    ask(admin.listStreamsGroupOffsets(Map.of(id, new ListStreamsGroupOffsetsSpec())).all());
                }
                if (protocol.equals("streams")) ask(admin.deleteStreamsGroups(List.of(id)).all());
            }
        }
        System.exit(0);
    }
}
