import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

/**
 * What Apache Kafka's own clients read from a broker, and write to one.
 *
 * digest BOOTSTRAP PREFIX   a line for each isolation level and partition of the topics whose names begin so: both ends, how many
 *                           records, and a hash over offset, time, key, value and headers of every one
 * write BOOTSTRAP PREFIX    topics of every codec, with transactions, compaction, tombstones and deleted records
 */
public class Directories {
    public static void main(String[] args) throws Exception {
        if (args[0].equals("digest")) digest(args[1], args[2]);
        else write(args[1], args[2]);
    }

    static void digest(String bootstrap, String prefix) throws Exception {
        for (String isolation : List.of("read_uncommitted", "read_committed")) {
            Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrap,
                "isolation.level", isolation,
                "enable.auto.commit", "false",
                "auto.offset.reset", "none");
            try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                List<TopicPartition> partitions = new ArrayList<>();
                for (String name : new TreeSet<>(consumer.listTopics().keySet())) {
                    if (!name.startsWith(prefix)) continue;
                    int count = consumer.partitionsFor(name).size();
                    for (int i = 0; i < count; i++) partitions.add(new TopicPartition(name, i));
                }
                digest(consumer, isolation, partitions);
            }
        }
    }

    static void digest(KafkaConsumer<byte[], byte[]> consumer, String isolation, List<TopicPartition> partitions) throws Exception {
        consumer.assign(partitions);
        var begins = consumer.beginningOffsets(partitions);
        var ends = consumer.endOffsets(partitions);
        Map<TopicPartition, MessageDigest> hashes = new HashMap<>();
        Map<TopicPartition, Long> counts = new HashMap<>();
        for (var partition : partitions) {
            consumer.seek(partition, begins.get(partition));
            hashes.put(partition, MessageDigest.getInstance("SHA-256"));
        }
        long deadline = System.currentTimeMillis() + 60_000;
        for (;;) {
            for (var record : consumer.poll(Duration.ofMillis(100))) {
                var partition = new TopicPartition(record.topic(), record.partition());
                if (record.offset() >= ends.get(partition)) continue;
                counts.merge(partition, 1L, Long::sum);
                var hash = hashes.get(partition);
                hash.update(ByteBuffer.allocate(17).putLong(record.offset()).putLong(record.timestamp()).put((byte) record.timestampType().id).array());
                update(hash, record.key());
                update(hash, record.value());
                for (Header header : record.headers()) {
                    update(hash, header.key().getBytes(StandardCharsets.UTF_8));
                    update(hash, header.value());
                }
            }
            var behind = partitions.stream().filter(each -> consumer.position(each) < ends.get(each)).findFirst();
            if (behind.isEmpty()) break;
            if (System.currentTimeMillis() > deadline) {
                throw new IllegalStateException(behind.get() + " stays at " + consumer.position(behind.get()) + " of " + ends.get(behind.get()));
            }
        }
        for (var each : partitions) {
            String sum = HexFormat.of().formatHex(hashes.get(each).digest());
            System.out.println(isolation + " " + each + " " + begins.get(each) + " " + ends.get(each) + " " + counts.getOrDefault(each, 0L) + " " + sum);
        }
    }

    static void update(MessageDigest hash, byte[] bytes) {
        hash.update(ByteBuffer.allocate(4).putInt(bytes == null ? -1 : bytes.length).array());
        if (bytes != null) hash.update(bytes);
    }

    static final Random RANDOM = new Random(7);

    static void write(String bootstrap, String prefix) throws Exception {
        var codecs = List.of("none", "gzip", "snappy", "lz4", "zstd");
        try (var admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            List<NewTopic> topics = new ArrayList<>();
            for (String codec : codecs) {
                topics.add(topic(prefix + "plain-" + codec, 1, Map.of("segment.index.bytes", "480", "index.interval.bytes", "1024")));
                topics.add(topic(prefix + "txn-" + codec, 2, Map.of("segment.index.bytes", "480", "index.interval.bytes", "1024")));
            }
            topics.add(topic(prefix + "compacted", 1, Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "segment.index.bytes", "480", "index.interval.bytes", "1024", "delete.retention.ms", "86400000")));
            topics.add(topic(prefix + "deleted", 1, Map.of("segment.index.bytes", "480", "index.interval.bytes", "1024")));
            topics.add(topic(prefix + "append-time", 1, Map.of("message.timestamp.type", "LogAppendTime")));
            admin.createTopics(topics).all().get();
            for (String codec : codecs) {
                try (var producer = producer(bootstrap, codec, null)) {
                    for (int i = 0; i < 3000; i++) producer.send(record(prefix + "plain-" + codec, 0, i));
                    for (int i = 0; i < 50; i++) producer.send(record(prefix + "append-time", 0, i));
                }
                transactions(bootstrap, codec, prefix + "txn-" + codec);
            }
            try (var producer = producer(bootstrap, "lz4", null)) {
                for (int i = 0; i < 6000; i++) {
                    byte[] value = i % 11 == 0 ? null : text(i);
                    producer.send(new ProducerRecord<>(prefix + "compacted", 0, ("key-" + i % 200).getBytes(), value));
                    producer.send(record(prefix + "deleted", 0, i));
                }
            }
            admin.deleteRecords(Map.of(new TopicPartition(prefix + "deleted", 0), RecordsToDelete.beforeOffset(2345))).all().get();
        }
    }

    /** Committed, aborted, empty and interleaved ones. The last is left open, which holds the last stable offset back. */
    static void transactions(String bootstrap, String codec, String topic) throws Exception {
        try (var one = producer(bootstrap, codec, topic + "-one"); var other = producer(bootstrap, codec, topic + "-other")) {
            one.initTransactions();
            other.initTransactions();
            for (int round = 0; round < 30; round++) {
                one.beginTransaction();
                other.beginTransaction();
                for (int i = 0; i < 40; i++) {
                    one.send(record(topic, i % 2, i));
                    if (i % 3 == 0) other.send(record(topic, 0, -i));
                    if (i % 10 == 0) one.flush();
                }
                if (round % 3 == 0) one.abortTransaction();
                else one.commitTransaction();
                if (round % 4 == 0) other.abortTransaction();
                else other.commitTransaction();
            }
        }
        var open = producer(bootstrap, codec, topic + "-open");
        open.initTransactions();
        open.beginTransaction();
        for (int i = 0; i < 10; i++) open.send(record(topic, 1, i));
        open.flush();
        OPEN.add(open); // closing would abort it
    }

    static final Collection<Producer<byte[], byte[]>> OPEN = new ArrayList<>();

    static NewTopic topic(String name, int partitions, Map<String, String> configs) {
        return new NewTopic(name, partitions, (short) 1).configs(configs);
    }

    static Producer<byte[], byte[]> producer(String bootstrap, String codec, String transactionalId) {
        var settings = new HashMap<String, Object>(Map.of(
            "bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", "2", "batch.size", "4096"));
        if (transactionalId != null) {
            settings.put("transactional.id", transactionalId);
            settings.put("transaction.timeout.ms", "900000"); // or the coordinator ends what is left open
        }
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static ProducerRecord<byte[], byte[]> record(String topic, int partition, int number) {
        var record = new ProducerRecord<byte[], byte[]>(topic, partition, number % 5 == 0 ? null : ("key " + number).getBytes(), number % 17 == 0 ? null : text(number));
        if (number % 4 == 0) record.headers().add("number", String.valueOf(number).getBytes()).add("nothing", null);
        return record;
    }

    static byte[] text(int number) {
        byte[] bytes = new byte[20 + RANDOM.nextInt(300)];
        Arrays.fill(bytes, (byte) ('a' + Math.floorMod(number, 26)));
        for (int i = 0; i < bytes.length; i += 3) bytes[i] = (byte) (' ' + RANDOM.nextInt(90));
        return bytes;
    }
}
