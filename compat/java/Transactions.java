import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Transactions with Apache Kafka's own clients.
 *
 * scenarios BOOTSTRAP                  what a producer can do with transactions, one after the other; a line for each: "ok NAME", or
 *                                      "FAILED NAME: why"
 * open BOOTSTRAP TOPIC ID COUNT        sends records in a transaction and is gone, as if killed
 * commit BOOTSTRAP TOPIC ID COUNT      sends records in a transaction and commits it
 * count BOOTSTRAP TOPIC ISOLATION      how many records there are, up to the end of that isolation level
 */
public class Transactions {
    static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[1];
        switch (args[0]) {
            case "scenarios" -> scenarios();
            case "open" -> {
                var producer = begin(args[3], Map.of("transaction.timeout.ms", "900000"));
                send(producer, args[2], Integer.parseInt(args[4]));
                producer.flush();
                System.out.println("open");
                System.out.flush();
                Runtime.getRuntime().halt(0);
            }
            case "commit" -> {
                try (var producer = begin(args[3], Map.of())) {
                    send(producer, args[2], Integer.parseInt(args[4]));
                    producer.commitTransaction();
                }
            }
            case "count" -> System.out.println(read(args[2], args[3]).size());
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    interface Scenario {
        void run(String topic) throws Exception;
    }

    static void scenario(Admin admin, String name, Scenario scenario) throws Exception {
        String topic = "txn-" + name.replaceAll("[^a-z]+", "-");
        admin.createTopics(Set.of(new NewTopic(topic, 3, (short) 1))).all().get();
        try {
            scenario.run(topic);
            System.out.println("ok " + name);
        } catch (Throwable error) {
            System.out.println("FAILED " + name + ": " + error.toString().replace('\n', ' '));
        }
    }

    static void scenarios() throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            scenario(admin, "what is committed is read", topic -> {
                try (var producer = begin("commits", Map.of())) {
                    send(producer, topic, 30);
                    expect(0, read(topic, "read_committed").size(), "before the commit");
                    producer.commitTransaction();
                    expect(30, read(topic, "read_committed").size(), "after the commit");
                }
            });
            scenario(admin, "what is aborted is passed over", topic -> {
                try (var producer = begin("aborts", Map.of())) {
                    send(producer, topic, 30);
                    producer.flush();
                    producer.abortTransaction();
                    expect(0, read(topic, "read_committed").size(), "committed");
                    expect(30, read(topic, "read_uncommitted").size(), "all");
                    producer.beginTransaction();
                    send(producer, topic, 7);
                    producer.commitTransaction();
                    expect(7, read(topic, "read_committed").size(), "after the next commit");
                }
            });
            scenario(admin, "an empty transaction is committed and aborted", topic -> {
                try (var producer = begin("empty", Map.of())) {
                    producer.commitTransaction();
                    producer.beginTransaction();
                    producer.abortTransaction();
                    producer.beginTransaction();
                    send(producer, topic, 1);
                    producer.commitTransaction();
                    expect(1, read(topic, "read_committed").size(), "records");
                }
            });
            scenario(admin, "many transactions of one producer, every third aborted", topic -> {
                int committed = 0;
                try (var producer = begin("many", Map.of())) {
                    for (int i = 0; i < 150; i++) {
                        if (i > 0) producer.beginTransaction();
                        send(producer, topic, 5);
                        if (i % 3 == 2) producer.abortTransaction();
                        else {
                            producer.commitTransaction();
                            committed += 5;
                        }
                    }
                }
                expect(committed, read(topic, "read_committed").size(), "records");
            });
            scenario(admin, "producers with transactions at the same time do not hold each other back for longer than they last", topic -> {
                try (var one = begin("beside-one", Map.of()); var two = begin("beside-two", Map.of())) {
                    send(one, topic, 6);
                    one.flush();
                    send(two, topic, 6);
                    two.commitTransaction();
                    expect(0, read(topic, "read_committed").size(), "behind an open transaction");
                    one.abortTransaction();
                    expect(6, read(topic, "read_committed").size(), "when it is over");
                }
            });
            scenario(admin, "a second producer of an id fences the first, whatever it has open", topic -> {
                var first = begin("fenced", Map.of());
                send(first, topic, 5);
                first.flush();
                try (var second = begin("fenced", Map.of())) {
                    send(second, topic, 4);
                    second.commitTransaction();
                    refused(() -> {
                        send(first, topic, 5);
                        first.commitTransaction();
                    });
                }
                close(first);
                expect(4, read(topic, "read_committed").size(), "records of the second alone");
            });
            scenario(admin, "a transaction that takes too long is aborted", topic -> {
                var producer = begin("late", Map.of("transaction.timeout.ms", "1000"));
                send(producer, topic, 5);
                producer.flush();
                Thread.sleep(3000);
                refused(producer::commitTransaction);
                close(producer);
                expect(0, read(topic, "read_committed").size(), "records");
            });
            scenario(admin, "offsets are committed with the transaction, and not before", topic -> {
                var partition = new TopicPartition(topic, 0);
                try (var producer = begin("offsets", Map.of()); var consumer = consumer("read_committed", "txn-offsets")) {
                    consumer.assign(Set.of(partition));
                    var group = new ConsumerGroupMetadata("txn-offsets");
                    send(producer, topic, 3);
                    producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(5)), group);
                    producer.abortTransaction();
                    expect(null, consumer.committed(Set.of(partition)).get(partition), "after an abort");
                    producer.beginTransaction();
                    producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(7)), group);
                    producer.commitTransaction();
                    expect(7L, consumer.committed(Set.of(partition)).get(partition).offset(), "after a commit");
                }
            });
            scenario(admin, "records are consumed, processed and produced exactly once", topic -> {
                String target = topic + "-out";
                admin.createTopics(Set.of(new NewTopic(target, 2, (short) 1))).all().get();
                try (var producer = begin("feeds", Map.of())) {
                    send(producer, topic, 60);
                    producer.commitTransaction();
                }
                int rounds = 0;
                try (var consumer = consumer("read_committed", "txn-pipeline"); var producer = begin("pipeline", Map.of())) {
                    consumer.subscribe(List.of(topic));
                    producer.abortTransaction();
                    int done = 0;
                    long deadline = System.currentTimeMillis() + 60_000;
                    while (done < 60 && System.currentTimeMillis() < deadline) {
                        var records = consumer.poll(Duration.ofMillis(200));
                        if (records.isEmpty()) continue;
                        producer.beginTransaction();
                        Map<TopicPartition, OffsetAndMetadata> offsets = new java.util.HashMap<>();
                        for (var record : records) {
                            producer.send(new ProducerRecord<>(target, record.key(), "done " + record.value()));
                            offsets.put(new TopicPartition(topic, record.partition()), new OffsetAndMetadata(record.offset() + 1));
                        }
                        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                        if (rounds++ == 0) {
                            // The first round comes to nothing: what was read is read again.
                            producer.abortTransaction();
                            var committed = consumer.committed(consumer.assignment());
                            for (var each : consumer.assignment()) {
                                var from = committed.get(each);
                                consumer.seek(each, from == null ? 0 : from.offset());
                            }
                            continue;
                        }
                        producer.commitTransaction();
                        done += records.count();
                    }
                }
                expect(60, read(target, "read_committed").size(), "records");
                expect(60, new java.util.HashSet<>(read(target, "read_committed")).size(), "different records");
            });
        }
    }

    interface Attempt {
        void run() throws Exception;
    }

    static void refused(Attempt attempt) throws Exception {
        try {
            attempt.run();
        } catch (KafkaException error) {
            return;
        }
        throw new AssertionError("it was taken");
    }

    static void close(Producer<?, ?> producer) {
        producer.close(Duration.ofSeconds(1));
    }

    static void expect(Object expected, Object actual, String what) {
        if (!java.util.Objects.equals(expected, actual)) throw new AssertionError(what + ": " + actual + ", not " + expected);
    }

    static KafkaProducer<String, String> begin(String id, Map<String, Object> settings) {
        Map<String, Object> all = new java.util.HashMap<>(settings);
        all.put("bootstrap.servers", bootstrap);
        all.put("transactional.id", id);
        all.put("linger.ms", "0");
        var producer = new KafkaProducer<>(all, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        producer.beginTransaction();
        return producer;
    }

    static void send(Producer<String, String> producer, String topic, int count) {
        for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, "key " + i, "value " + i));
    }

    static KafkaConsumer<String, String> consumer(String isolation, String group) {
        Map<String, Object> settings = new java.util.HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("isolation.level", isolation);
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        if (group != null) settings.put("group.id", group);
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    static List<String> read(String topic, String isolation) {
        List<String> values = new ArrayList<>();
        try (var consumer = consumer(isolation, null)) {
            var partitions = consumer.partitionsFor(topic).stream().map(each -> new TopicPartition(topic, each.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            long deadline = System.currentTimeMillis() + 30_000;
            while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                if (System.currentTimeMillis() > deadline) throw new AssertionError("not at the end of " + topic);
                for (var record : consumer.poll(Duration.ofMillis(100))) values.add(record.value());
            }
        }
        return values;
    }
}
