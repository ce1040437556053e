import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/**
 * One instance of an exactly-once pipeline with Apache Kafka's own clients, as a process that is there to be killed: it consumes
 * from `GROUP-in`, produces to `GROUP-out`, and commits offsets with the transaction.
 *
 * ExactlyOncePipeline BOOTSTRAP GROUP TRANSACTIONAL-ID GROUP-PROTOCOL
 */
public class ExactlyOncePipeline {
    static volatile boolean isClosing = false;
    static String group;

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0], transactionalId = args[2], protocol = args[3];
        group = args[1];
        var consumer = consumer(bootstrap, protocol);
        var main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            isClosing = true;
            try { main.join(15_000); } catch (InterruptedException e) { /* so be it */ }
        }));
        consumer.subscribe(List.of(group + "-in"));
        KafkaProducer<String, String> producer = null;
        while (!isClosing) {
            try {
                if (producer == null) {
                    producer = producer(bootstrap, transactionalId);
                    producer.initTransactions();
                    // Now, not before: offsets of a transaction that is open are neither there nor gone.
                    rewind(consumer);
                }
                transact(consumer, producer);
            } catch (ProducerFencedException | InvalidProducerEpochException | OutOfOrderSequenceException | InvalidPidMappingException | TimeoutException error) {
                // Nobody else has this id: after an end that it has not heard of it begins again, which aborts what it has left open.
                say(error);
                producer.close(Duration.ZERO);
                producer = null;
            } catch (KafkaException error) {
                say(error);
                try {
                    producer.abortTransaction();
                    rewind(consumer);
                } catch (KafkaException worse) {
                    say(worse);
                    producer.close(Duration.ZERO);
                    producer = null;
                }
            }
        }
        if (producer != null) producer.close(Duration.ofSeconds(5));
        consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)));
    }

    static void transact(KafkaConsumer<String, String> consumer, KafkaProducer<String, String> producer) {
        var records = consumer.poll(Duration.ofMillis(50));
        if (records.isEmpty()) return;
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (var record : records) {
            producer.send(new ProducerRecord<>(group + "-out", record.key(), record.value() + " done"));
            offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        producer.commitTransaction();
    }

    /** What has been read and not committed is read again. */
    static void rewind(KafkaConsumer<String, String> consumer) {
        while (!isClosing) {
            try {
                var assignment = consumer.assignment();
                var committed = consumer.committed(assignment);
                for (var partition : assignment) {
                    var offset = committed.get(partition);
                    if (offset == null) consumer.seekToBeginning(List.of(partition));
                    else consumer.seek(partition, offset);
                }
                return;
            } catch (KafkaException error) {
                say(error);
            }
        }
    }

    static void say(Throwable error) {
        System.err.println(java.time.Instant.now() + " " + error);
    }

    static KafkaConsumer<String, String> consumer(String bootstrap, String protocol) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", group);
        settings.put("group.protocol", protocol);
        settings.put("isolation.level", "read_committed");
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        settings.put("fetch.max.wait.ms", "50");
        settings.put("reconnect.backoff.max.ms", "200");
        settings.put("retry.backoff.max.ms", "200");
        if (protocol.equals("classic")) {
            settings.put("session.timeout.ms", "2000");
            settings.put("heartbeat.interval.ms", "300");
        }
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    static KafkaProducer<String, String> producer(String bootstrap, String transactionalId) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("transactional.id", transactionalId);
        settings.put("linger.ms", "1");
        settings.put("reconnect.backoff.max.ms", "200");
        settings.put("retry.backoff.max.ms", "200");
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }
}
