import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a group that says what happens to it, until its standard input ends; then it commits and leaves.
 *
 * GroupMember BOOTSTRAP TOPIC GROUP PROTOCOL [key=value ...]
 *
 * + t-0 t-1    assigned        - t-1    revoked        ! t-0    lost        = t-0    all it has now
 * R t-0 value  a record
 */
public class GroupMember {
    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", args[0]);
        settings.put("group.id", args[2]);
        settings.put("group.protocol", args[3]);
        settings.put("auto.offset.reset", "earliest");
        settings.put("auto.commit.interval.ms", "500");
        for (int i = 4; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(args[1]), new ConsumerRebalanceListener() {
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) { say("+", partitions); }
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) { say("-", partitions); }
            public void onPartitionsLost(Collection<TopicPartition> partitions) { say("!", partitions); }
        });
        var before = "";
        var end = new Thread(() -> {
            try { while (System.in.read() >= 0) { } } catch (Exception e) { /* ended */ }
        });
        end.setDaemon(true);
        end.start();
        while (end.isAlive()) {
            for (var record : consumer.poll(Duration.ofMillis(50))) {
                System.out.println("R " + record.topic() + "-" + record.partition() + " " + record.value());
            }
            var now = names(consumer.assignment());
            if (!now.equals(before)) System.out.println("= " + now);
            before = now;
        }
        consumer.close();
    }

    static void say(String what, Collection<TopicPartition> partitions) {
        if (!partitions.isEmpty()) System.out.println(what + " " + names(partitions));
    }

    static String names(Collection<TopicPartition> partitions) {
        var sorted = new TreeSet<String>();
        for (var each : partitions) sorted.add(each.toString());
        return String.join(" ", sorted);
    }
}
