import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Members of groups, each with a consumer and a thread of its own, in one JVM. What they read they commit at once, with their name as
 * the metadata. They are told from standard input, and leave when it ends:
 *
 * join NAME BOOTSTRAP TOPIC|^PATTERN GROUP PROTOCOL [key=value ...]      with commits=no it never commits
 * leave NAME
 *
 * Each line they say begins with a name:
 *
 * + t-0 t-1    assigned        - t-1    revoked        ! t-0    lost        = t-0    all it has now
 * R t-0 value  a record        X why    it has ended; without a reason as it was told to
 */
public class GroupMembers {
    static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("leave")) {
                MEMBERS.get(words[1]).leaves = true;
            } else {
                var member = new Member(words);
                MEMBERS.put(words[1], member);
                member.start();
            }
        }
        for (var member : MEMBERS.values()) member.leaves = true;
        for (var member : MEMBERS.values()) member.join();
    }

    static class Member extends Thread implements ConsumerRebalanceListener {
        final String[] words;
        volatile boolean leaves;

        Member(String[] words) {
            this.words = words;
        }

        @Override
        public void run() {
            var settings = new HashMap<String, Object>(Map.of(
                "bootstrap.servers", words[2], "group.id", words[4], "group.protocol", words[5],
                "auto.offset.reset", "earliest", "enable.auto.commit", "false", "client.id", words[1]));
            for (String pair : Arrays.asList(words).subList(6, words.length)) settings.put(pair.split("=", 2)[0], pair.split("=", 2)[1]);
            // Or it forgets all it knows whenever there is no broker, and the leader of a classic group has it assigned anew.
            settings.put("metadata.recovery.strategy", "none");
            boolean commits = settings.remove("commits") == null;
            try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
                if (!words[3].startsWith("^")) consumer.subscribe(List.of(words[3]), this);
                else if (words[5].equals("consumer")) consumer.subscribe(new SubscriptionPattern(words[3]), this);
                else consumer.subscribe(Pattern.compile(words[3]), this);
                var before = "";
                while (!leaves) {
                    var offsets = new HashMap<TopicPartition, OffsetAndMetadata>();
                    var records = consumer.poll(Duration.ofMillis(50));
                    for (var record : records) {
                        var next = new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), words[1]);
                        offsets.put(new TopicPartition(record.topic(), record.partition()), next);
                    }
                    if (commits && !offsets.isEmpty()) consumer.commitSync(offsets);
                    // Told when they are committed, so that whoever has seen them all finds the offsets too.
                    for (var record : records) say("R " + record.topic() + "-" + record.partition() + " " + record.value());
                    var now = names(consumer.assignment());
                    if (!now.equals(before)) say("= " + now);
                    before = now;
                }
            } catch (RuntimeException error) {
                say("X " + error);
                return;
            }
            say("X ");
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell("+", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tell("-", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            tell("!", partitions);
        }

        void tell(String what, Collection<TopicPartition> partitions) {
            if (!partitions.isEmpty()) say(what + " " + names(partitions));
        }

        void say(String what) {
            System.out.println(words[1] + " " + what);
        }
    }

    static String names(Collection<TopicPartition> partitions) {
        var sorted = new TreeSet<String>();
        for (var each : partitions) sorted.add(each.toString());
        return String.join(" ", sorted);
    }
}
