import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What capture.mjs runs in Java: `produce BOOTSTRAP`, `overwrite BOOTSTRAP`, `old FOLDER`, `describe FILE...` (JSON to stdout). */
public class Capture {
    static final long TIME = 1_700_000_000_000L;
    static final HexFormat HEX = HexFormat.of();

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "produce" -> produce(args[1]);
            case "overwrite" -> overwrite(args[1]);
            case "old" -> old(args[1]);
            case "describe" -> describe(args);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static void produce(String bootstrap) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            List<NewTopic> topics = new ArrayList<>();
            for (String name : List.of("none", "gzip", "snappy", "lz4", "zstd", "idempotent", "transactional")) {
                topics.add(new NewTopic(name, 1, (short) 1));
            }
            topics.add(new NewTopic("log-append-time", 1, (short) 1).configs(Map.of("message.timestamp.type", "LogAppendTime")));
            topics.add(new NewTopic("compacted", 1, (short) 1).configs(Map.of("cleanup.policy", "compact",
                "min.cleanable.dirty.ratio", "0.01", "segment.ms", "1000", "delete.retention.ms", "86400000")));
            admin.createTopics(topics).all().get();
        }
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var producer = producer(bootstrap, Map.of("compression.type", codec, "enable.idempotence", "false"))) {
                for (var record : everyShape(codec)) producer.send(record);
                // more than one block of snappy (32 KiB) and lz4 (64 KiB), in a line that compresses
                if (!codec.equals("none")) producer.send(record(codec, TIME + 9, "long", "One morning, when Gregor Samsa woke. ".repeat(3000)));
                producer.flush();
                byte[] noise = new byte[2000];
                new Random(1915).nextBytes(noise);
                producer.send(new ProducerRecord<>(codec, 0, TIME + 10, bytes("noise"), noise));
                producer.flush();
            }
        }
        try (var producer = producer(bootstrap, Map.of("enable.idempotence", "true"))) {
            for (int batch = 0; batch < 3; batch++) {
                for (int i = 0; i < 4; i++) producer.send(record("idempotent", TIME + i, "k" + i, "batch " + batch));
                producer.flush();
            }
        }
        try (var producer = producer(bootstrap, Map.of("transactional.id", "golden", "compression.type", "lz4"))) {
            producer.initTransactions();
            for (boolean commit : new boolean[] {true, false, true}) {
                producer.beginTransaction();
                for (int i = 0; i < 3; i++) producer.send(record("transactional", TIME + i, "k" + i, commit ? "kept" : "lost"));
                producer.flush();
                if (commit) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
        try (var producer = producer(bootstrap, Map.of("enable.idempotence", "false"))) {
            for (int i = 0; i < 3; i++) producer.send(record("log-append-time", TIME + i, "k" + i, "v" + i));
            producer.flush();
            for (int i = 0; i < 10; i++) producer.send(record("compacted", System.currentTimeMillis(), "k" + i % 4, i == 9 ? null : "v" + i));
            producer.flush();
        }
    }

    /** Rolls the segment of the compacted topic, so that the cleaner may have it. */
    static void overwrite(String bootstrap) throws Exception {
        try (var producer = producer(bootstrap, Map.of("enable.idempotence", "false"))) {
            producer.send(record("compacted", System.currentTimeMillis(), "k0", "last"));
            producer.flush();
        }
    }

    /** Batches of the formats before v2, which no broker of today writes any more. */
    static void old(String folder) throws Exception {
        for (byte magic = 0; magic < 2; magic++) {
            try (MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1024), magic, Compression.NONE,
                TimestampType.CREATE_TIME, 0L)) {
                builder.append(TIME, bytes("key"), bytes("value of magic " + magic));
                ByteBuffer buffer = builder.build().buffer();
                byte[] written = new byte[buffer.remaining()];
                buffer.get(written);
                Files.write(Path.of(folder, "magic-" + magic + ".log"), written);
            }
        }
    }

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, Map<String, Object> overrides) {
        Map<String, Object> configs = new java.util.HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 10000, "batch.size", 1 << 20));
        configs.putAll(overrides);
        return new KafkaProducer<>(configs, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static List<ProducerRecord<byte[], byte[]>> everyShape(String topic) {
        var headers = record(topic, TIME + 3, "headers", "with");
        headers.headers().add(new RecordHeader("same", bytes("first"))).add(new RecordHeader("same", bytes("second")))
            .add(new RecordHeader("käfer", new byte[] {0, -1})).add(new RecordHeader("null", (byte[]) null)).add(new RecordHeader("", new byte[0]));
        return List.of(record(topic, TIME, "key", "value"), record(topic, TIME + 1, null, "no key"), record(topic, TIME + 2, "no value", null),
            headers, record(topic, TIME + 4, "", ""), record(topic, TIME - 5_000_000_000L, "earlier", "58 days"),
            record(topic, TIME + 5_000_000_000L, "later", "58 days"), record(topic, TIME, null, null));
    }

    static ProducerRecord<byte[], byte[]> record(String topic, long timestamp, String key, String value) {
        return new ProducerRecord<>(topic, 0, timestamp, bytes(key), bytes(value));
    }

    static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    /** What Kafka's own reader sees in the files. */
    static void describe(String[] files) throws Exception {
        List<String> all = new ArrayList<>();
        for (int i = 1; i < files.length; i++) {
            List<String> batches = new ArrayList<>();
            try (FileRecords records = FileRecords.open(new File(files[i]), false)) {
                for (RecordBatch batch : records.batches()) batches.add(describe(batch));
            }
            all.add(quote(Path.of(files[i]).getFileName().toString()) + ":[\n" + String.join(",\n", batches) + "]");
        }
        System.out.println("{" + String.join(",\n", all) + "}");
    }

    static String describe(RecordBatch batch) {
        List<String> records = new ArrayList<>();
        for (Record record : batch) {
            List<String> headers = new ArrayList<>();
            for (Header header : record.headers()) headers.add("[" + quote(header.key()) + "," + digest(header.value() == null ? null : ByteBuffer.wrap(header.value())) + "]");
            records.add("\n    {\"offset\":" + record.offset() + ",\"timestamp\":" + record.timestamp() + ",\"sequence\":" + record.sequence()
                + ",\"key\":" + digest(record.key()) + ",\"value\":" + digest(record.value()) + ",\"headers\":[" + String.join(",", headers) + "]}");
        }
        return "  {\"baseOffset\":" + batch.baseOffset() + ",\"lastOffset\":" + batch.lastOffset() + ",\"nextOffset\":" + batch.nextOffset()
            + ",\"sizeInBytes\":" + batch.sizeInBytes() + ",\"magic\":" + batch.magic() + ",\"crc\":" + batch.checksum()
            + ",\"isValid\":" + batch.isValid() + ",\"maxTimestamp\":" + batch.maxTimestamp() + ",\"timestampType\":" + quote(batch.timestampType().name)
            + ",\"compressionType\":" + quote(batch.compressionType().name) + ",\"producerId\":" + batch.producerId()
            + ",\"producerEpoch\":" + batch.producerEpoch() + ",\"baseSequence\":" + batch.baseSequence() + ",\"lastSequence\":" + batch.lastSequence()
            + ",\"isTransactional\":" + batch.isTransactional() + ",\"isControlBatch\":" + batch.isControlBatch()
            + ",\"partitionLeaderEpoch\":" + batch.partitionLeaderEpoch() + ",\"recordCount\":" + batch.countOrNull()
            + ",\"deleteHorizonMs\":" + (batch.deleteHorizonMs().isPresent() ? "" + batch.deleteHorizonMs().getAsLong() : "null")
            + ",\"records\":[" + String.join(",", records) + "]}";
    }

    /** Short bytes in hex, long ones by length and CRC-32C. */
    static String digest(ByteBuffer buffer) {
        if (buffer == null) return "null";
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        if (bytes.length <= 48) return quote(HEX.formatHex(bytes));
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return "{\"length\":" + bytes.length + ",\"crc32c\":" + crc.getValue() + "}";
    }

    static String quote(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }
}
