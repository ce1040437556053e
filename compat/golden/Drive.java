import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.*;

/**
 * Makes Apache Kafka's Java clients say as much as they can to a broker, one round for each line "round N" on standard
 * input. A step that fails is told on standard error and the round goes on: an older version refuses some of them, and the
 * refusal is traffic too.
 *
 * Arguments: bootstrap servers of the brokers, bootstrap server of the controllers, another log directory of broker 1.
 */
public class Drive {
    static String brokers;
    static String controllers;
    static String otherLogDir;
    static int round;

    interface Step {
        void run() throws Exception;
    }

    static final ExecutorService POOL = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    });

    static void step(String name, Step step) {
        Future<?> running = POOL.submit(() -> {
            step.run();
            return null;
        });
        try {
            running.get(20, TimeUnit.SECONDS);
        } catch (Exception error) {
            running.cancel(true);
            Throwable cause = error;
            while (cause.getCause() != null) cause = cause.getCause();
            System.err.println("round " + round + ", " + name + ": " + cause);
        }
    }

    static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(8, TimeUnit.SECONDS);
    }

    public static void main(String[] args) throws Exception {
        brokers = args[0];
        controllers = args[1];
        otherLogDir = args[2];
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            round = Integer.parseInt(line.split(" ")[1]);
            try (Admin admin = Admin.create(common("admin"))) {
                topics(admin);
                producers(admin);
                groups(admin);
                administration(admin);
                cleanUp(admin);
            }
            if (round < 3) step("controllers", Drive::askControllers);
            System.out.println("done " + round);
        }
        System.exit(0);
    }

    static Properties common(String role) {
        Properties p = new Properties();
        p.put("bootstrap.servers", brokers);
        p.put("client.id", "golden-java-" + role);
        p.put("client.rack", "rack-" + (1 + round % 2));
        p.put("request.timeout.ms", "6000");
        p.put("default.api.timeout.ms", "7000");
        return p;
    }

    static String topic() {
        return "golden-" + round;
    }

    static ConfigResource topicResource() {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic());
    }

    static void topics(Admin admin) throws Exception {
        step("createTopics", () -> {
            NewTopic plain = new NewTopic(topic(), 2, (short) 2).configs(Map.of("cleanup.policy", "compact,delete", "retention.ms", "86400000"));
            NewTopic placed = new NewTopic("placed-" + round, Map.of(0, List.of(1, 2), 1, List.of(2, 1)));
            get(admin.createTopics(List.of(plain, placed)).all());
        });
        step("createTopics again", () -> get(admin.createTopics(List.of(new NewTopic(topic(), 1, (short) 1))).all()));
        step("validate", () -> get(admin.createTopics(List.of(new NewTopic("only-validated", Optional.empty(), Optional.empty())),
            new CreateTopicsOptions().validateOnly(true)).all()));
        step("createPartitions", () -> get(admin.createPartitions(Map.of(
            topic(), NewPartitions.increaseTo(3), "placed-" + round, NewPartitions.increaseTo(3, List.of(List.of(2, 1))))).all()));
        step("listTopics", () -> get(admin.listTopics(new ListTopicsOptions().listInternal(true)).names()));
        step("describeTopics", () -> {
            Map<String, TopicDescription> found = get(admin.describeTopics(List.of(topic(), "placed-" + round),
                new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames());
            get(admin.describeTopics(TopicCollection.ofTopicIds(List.of(found.get(topic()).topicId()))).allTopicIds());
        });
        step("describe what is not there", () -> get(admin.describeTopics(List.of("nowhere")).allTopicNames()));
        step("describeCluster", () -> get(admin.describeCluster(new DescribeClusterOptions()
            .includeAuthorizedOperations(true).includeFencedBrokers(true)).nodes()));
        step("describeCluster, plain", () -> get(admin.describeCluster().nodes()));
    }

    static Properties producerProperties(Map<String, String> more) {
        Properties p = common("producer");
        p.put("key.serializer", StringSerializer.class.getName());
        p.put("value.serializer", StringSerializer.class.getName());
        p.put("delivery.timeout.ms", "8000");
        p.put("max.block.ms", "8000");
        p.put("linger.ms", "30");
        p.putAll(more);
        return p;
    }

    static void send(Producer<String, String> producer, int count) {
        for (int i = 0; i < count; i++) {
            ProducerRecord<String, String> record = new ProducerRecord<>(topic(), i % 2, "key-" + i, "value " + i + " of the golden records");
            if (i % 2 == 0) record.headers().add(new RecordHeader("origin", "drive".getBytes(StandardCharsets.UTF_8))).add("empty", null);
            producer.send(record);
        }
        producer.flush();
    }

    static void producers(Admin admin) throws Exception {
        for (String compression : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            step("produce " + compression, () -> {
                try (Producer<String, String> p = new KafkaProducer<>(producerProperties(Map.of("compression.type", compression)))) {
                    send(p, 8);
                }
            });
        }
        step("produce acks=0", () -> {
            try (Producer<String, String> p = new KafkaProducer<>(producerProperties(Map.of("acks", "0", "enable.idempotence", "false")))) {
                send(p, 2);
            }
        });
        step("produce acks=1, tombstone", () -> {
            try (Producer<String, String> p = new KafkaProducer<>(producerProperties(Map.of("acks", "1", "enable.idempotence", "false")))) {
                p.send(new ProducerRecord<>(topic(), 0, "buried", null)).get();
            }
        });
        step("produce too much", () -> {
            try (Producer<String, String> p = new KafkaProducer<>(producerProperties(Map.of("max.request.size", "4000000")))) {
                p.send(new ProducerRecord<>("placed-" + round, "x".repeat(1200000))).get(9, TimeUnit.SECONDS);
            }
        });
        step("transactions", () -> {
            Map<String, String> settings = Map.of("transactional.id", "golden-transaction-" + round, "transaction.timeout.ms", "30000");
            try (Producer<String, String> p = new KafkaProducer<>(producerProperties(settings))) {
                p.initTransactions();
                p.beginTransaction();
                send(p, 4);
                p.sendOffsetsToTransaction(Map.of(new TopicPartition(topic(), 0), new OffsetAndMetadata(2, Optional.of(0), "in a transaction")),
                    new ConsumerGroupMetadata("golden-transactional-group"));
                p.commitTransaction();
                p.beginTransaction();
                send(p, 2);
                step("listTransactions", () -> get(admin.listTransactions().all()));
                step("listTransactions, filtered", () -> get(admin.listTransactions(new ListTransactionsOptions()
                    .filterStates(Set.of(TransactionState.ONGOING)).filterOnDuration(0)).all()));
                step("listTransactions, pattern", () -> get(admin.listTransactions(new ListTransactionsOptions()
                    .filterOnTransactionalIdPattern("golden.*")).all()));
                step("describeTransactions", () -> get(admin.describeTransactions(List.of("golden-transaction-" + round)).all()));
                step("describeProducers", () -> get(admin.describeProducers(List.of(new TopicPartition(topic(), 0))).all()));
                p.abortTransaction();
                p.beginTransaction();
                send(p, 1);
                step("abortTransaction", () -> {
                    for (ProducerState state : get(admin.describeProducers(List.of(new TopicPartition(topic(), 0)))
                        .partitionResult(new TopicPartition(topic(), 0))).activeProducers()) {
                        if (state.currentTransactionStartOffset().isPresent()) {
                            get(admin.abortTransaction(new AbortTransactionSpec(new TopicPartition(topic(), 0), state.producerId(),
                                (short) state.producerEpoch(), state.coordinatorEpoch().orElse(0))).all());
                        }
                    }
                });
                step("forceTerminateTransaction", () -> get(admin.forceTerminateTransaction("golden-transaction-" + round).result()));
                step("fenceProducers", () -> get(admin.fenceProducers(List.of("golden-transaction-" + round)).all()));
            }
        });
    }

    static Properties consumerProperties(String group, Map<String, String> more) {
        Properties p = common("consumer");
        p.put("key.deserializer", StringDeserializer.class.getName());
        p.put("value.deserializer", StringDeserializer.class.getName());
        p.put("auto.offset.reset", "earliest");
        p.put("enable.auto.commit", "false");
        p.put("fetch.max.wait.ms", "100");
        if (group != null) p.put("group.id", group);
        p.putAll(more);
        return p;
    }

    static int poll(Consumer<String, String> consumer, int atLeast) {
        int seen = 0;
        long end = System.currentTimeMillis() + 6000;
        while (seen < atLeast && System.currentTimeMillis() < end) seen += consumer.poll(Duration.ofMillis(100)).count();
        return seen;
    }

    static void groups(Admin admin) throws Exception {
        String classic = "golden-classic-" + round;
        String modern = "golden-consumer-" + round;
        String share = "golden-share-" + round;
        TopicPartition first = new TopicPartition(topic(), 0);
        step("assigned consumer", () -> {
            try (Consumer<String, String> c = new KafkaConsumer<>(consumerProperties(null, Map.of("isolation.level", "read_committed", "group.id", "golden-assigned")))) {
                c.assign(List.of(first, new TopicPartition(topic(), 1)));
                c.seek(first, new OffsetAndMetadata(3, Optional.of(0), ""));
                poll(c, 6);
                c.offsetsForTimes(Map.of(first, 1L));
                c.beginningOffsets(List.of(first));
                c.endOffsets(List.of(first));
                c.partitionsFor(topic());
                c.listTopics();
            }
        });
        step("out of range", () -> {
            try (Consumer<String, String> c = new KafkaConsumer<>(consumerProperties(null, Map.of()))) {
                c.assign(List.of(first));
                c.seek(first, 100000);
                poll(c, 1);
            }
        });
        step("classic group", () -> {
            Map<String, String> settings = Map.of("group.protocol", "classic", "group.instance.id", "static-1", "session.timeout.ms", "6000",
                "heartbeat.interval.ms", "400", "partition.assignment.strategy", RangeAssignor.class.getName() + "," + CooperativeStickyAssignor.class.getName());
            try (Consumer<String, String> c = new KafkaConsumer<>(consumerProperties(classic, settings));
                 Consumer<String, String> second = new KafkaConsumer<>(consumerProperties(classic, Map.of("group.protocol", "classic", "session.timeout.ms", "6000", "heartbeat.interval.ms", "400")))) {
                c.subscribe(List.of(topic(), "placed-" + round));
                poll(c, 4);
                second.subscribe(List.of(topic()));
                for (int i = 0; i < 8; i++) {
                    c.poll(Duration.ofMillis(150));
                    second.poll(Duration.ofMillis(150));
                }
                c.commitSync(Map.of(first, new OffsetAndMetadata(4, Optional.of(0), "note")));
                c.committed(Set.of(first, new TopicPartition(topic(), 1)));
                describeGroups(admin, classic, modern, share);
            }
        });
        step("removeMembers", () -> get(admin.removeMembersFromConsumerGroup(classic, new RemoveMembersFromConsumerGroupOptions(
            List.of(new MemberToRemove("static-1")))).all()));
        step("consumer group", () -> {
            Map<String, String> settings = Map.of("group.protocol", "consumer", "group.remote.assignor", "range");
            try (Consumer<String, String> c = new KafkaConsumer<>(consumerProperties(modern, settings))) {
                c.subscribe(List.of(topic()));
                poll(c, 4);
                c.commitSync();
                c.committed(Set.of(first));
                describeGroups(admin, classic, modern, share);
                for (int i = 0; i < 5; i++) c.poll(Duration.ofMillis(100));
            }
        });
        step("consumer group by pattern", () -> {
            try (Consumer<String, String> c = new KafkaConsumer<>(consumerProperties("golden-pattern-" + round, Map.of("group.protocol", "consumer")))) {
                c.subscribe(new SubscriptionPattern("golden-[0-9]+"));
                poll(c, 4);
            }
        });
        step("share group", () -> {
            get(admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, share),
                List.of(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all());
            Properties p = consumerProperties(share, Map.of("share.acknowledgement.mode", "explicit"));
            p.remove("auto.offset.reset");
            p.remove("enable.auto.commit");
            try (ShareConsumer<String, String> c = new KafkaShareConsumer<>(p)) {
                c.subscribe(List.of(topic()));
                int seen = 0;
                for (int i = 0; i < 40 && seen < 20; i++) {
                    for (ConsumerRecord<String, String> record : c.poll(Duration.ofMillis(200))) {
                        seen++;
                        c.acknowledge(record, seen % 5 == 0 ? AcknowledgeType.RELEASE : seen % 7 == 0 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT);
                    }
                    if (seen > 10) c.commitSync(); else c.commitAsync();
                }
                describeGroups(admin, classic, modern, share);
            }
        });
        step("listShareGroupOffsets", () -> get(admin.listShareGroupOffsets(Map.of(share, new ListShareGroupOffsetsSpec())).all()));
        step("alterShareGroupOffsets", () -> get(admin.alterShareGroupOffsets(share, Map.of(first, 1L)).all()));
        step("deleteShareGroupOffsets", () -> get(admin.deleteShareGroupOffsets(share, Set.of(topic())).all()));
        step("deleteShareGroups", () -> get(admin.deleteShareGroups(List.of(share)).all()));
        step("group offsets", () -> {
            get(admin.listConsumerGroupOffsets(Map.of(classic, new ListConsumerGroupOffsetsSpec(), modern, new ListConsumerGroupOffsetsSpec())).all());
            get(admin.listConsumerGroupOffsets(Map.of(classic, new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(first))),
                new ListConsumerGroupOffsetsOptions().requireStable(true)).all());
        });
        step("alterConsumerGroupOffsets", () -> get(admin.alterConsumerGroupOffsets(modern, Map.of(first, new OffsetAndMetadata(1, Optional.of(0), "altered"))).all()));
        step("deleteConsumerGroupOffsets", () -> get(admin.deleteConsumerGroupOffsets(modern, Set.of(first)).all()));
        step("deleteConsumerGroups", () -> get(admin.deleteConsumerGroups(List.of(modern, "no-such-group")).all()));
    }

    static void describeGroups(Admin admin, String classic, String modern, String share) {
        step("listGroups", () -> get(admin.listGroups().all()));
        step("listConsumerGroups", () -> get(admin.listGroups(ListGroupsOptions.forConsumerGroups()).all()));
        step("describeConsumerGroups", () -> get(admin.describeConsumerGroups(List.of(classic, modern),
            new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)).all()));
        step("describeClassicGroups", () -> get(admin.describeClassicGroups(List.of(classic)).all()));
        step("describeShareGroups", () -> get(admin.describeShareGroups(List.of(share)).all()));
    }

    static void administration(Admin admin) throws Exception {
        TopicPartition first = new TopicPartition(topic(), 0);
        step("describeConfigs", () -> get(admin.describeConfigs(List.of(topicResource()),
            new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(false)).all()));
        step("describeConfigs of a broker", () -> get(admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.BROKER, "1"))).all()));
        step("describeConfigs of metrics and group", () -> get(admin.describeConfigs(List.of(
            new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "golden-metrics"), new ConfigResource(ConfigResource.Type.GROUP, "golden-share-" + round))).all()));
        step("incrementalAlterConfigs", () -> get(admin.incrementalAlterConfigs(Map.of(topicResource(), List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "3600000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.SUBTRACT),
            new AlterConfigOp(new ConfigEntry("segment.ms", ""), AlterConfigOp.OpType.DELETE)))).all()));
        step("client metrics", () -> get(admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "golden-metrics"), List.of(
            new AlterConfigOp(new ConfigEntry("metrics", "org.apache.kafka.producer.record.send,org.apache.kafka.consumer.fetch"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("interval.ms", "200"), AlterConfigOp.OpType.SET)))).all()));
        step("listConfigResources", () -> get(admin.listConfigResources().all()));
        step("listConfigResources, metrics", () -> get(admin.listConfigResources(Set.of(ConfigResource.Type.CLIENT_METRICS), new ListConfigResourcesOptions()).all()));
        step("describeLogDirs", () -> get(admin.describeLogDirs(List.of(1, 2)).allDescriptions()));
        step("alterReplicaLogDirs", () -> get(admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica("placed-" + round, 0, 1), otherLogDir)).all()));
        step("describeReplicaLogDirs", () -> get(admin.describeReplicaLogDirs(List.of(new TopicPartitionReplica("placed-" + round, 0, 1))).all()));
        step("electLeaders", () -> get(admin.electLeaders(ElectionType.PREFERRED, Set.of(first, new TopicPartition("nowhere", 0))).all()));
        step("electLeaders, unclean", () -> get(admin.electLeaders(ElectionType.UNCLEAN, Set.of(first)).all()));
        step("reassign", () -> {
            Map<TopicPartition, Optional<NewPartitionReassignment>> wanted = new HashMap<>();
            wanted.put(new TopicPartition("placed-" + round, 1), Optional.of(new NewPartitionReassignment(List.of(1, 2))));
            wanted.put(new TopicPartition("placed-" + round, 2), Optional.empty());
            get(admin.alterPartitionReassignments(wanted).all());
        });
        step("reassign, well formed", () -> {
            get(admin.alterPartitionReassignments(Map.of(first, Optional.of(new NewPartitionReassignment(List.of(round % 2 + 1))))).all());
        });
        step("listPartitionReassignments", () -> get(admin.listPartitionReassignments().reassignments()));
        step("listPartitionReassignments of one", () -> get(admin.listPartitionReassignments(Set.of(first)).reassignments()));
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.forTimestamp(5), OffsetSpec.maxTimestamp(),
            OffsetSpec.earliestLocal(), OffsetSpec.latestTiered(), OffsetSpec.earliestPendingUpload())) {
            step("listOffsets", () -> get(admin.listOffsets(Map.of(first, spec, new TopicPartition(topic(), 1), spec)).all()));
        }
        step("deleteRecords", () -> get(admin.deleteRecords(Map.of(new TopicPartition("placed-" + round, 0), RecordsToDelete.beforeOffset(0),
            new TopicPartition(topic(), 1), RecordsToDelete.beforeOffset(1))).all()));
        step("createAcls", () -> get(admin.createAcls(List.of(
            new AclBinding(new ResourcePattern(ResourceType.TOPIC, topic(), PatternType.PREFIXED), new AccessControlEntry("User:gregor", "*", AclOperation.READ, AclPermissionType.ALLOW)),
            new AclBinding(new ResourcePattern(ResourceType.CLUSTER, "kafka-cluster", PatternType.LITERAL), new AccessControlEntry("User:grete", "127.0.0.1", AclOperation.ALTER, AclPermissionType.DENY)))).all()));
        step("describeAcls", () -> get(admin.describeAcls(AclBindingFilter.ANY).values()));
        step("deleteAcls", () -> get(admin.deleteAcls(List.of(AclBindingFilter.ANY)).all()));
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, "gregor", ClientQuotaEntity.CLIENT_ID, "beetle"));
        step("alterClientQuotas", () -> get(admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(
            new ClientQuotaAlteration.Op("producer_byte_rate", 1048576.0), new ClientQuotaAlteration.Op("consumer_byte_rate", null))))).all()));
        step("describeClientQuotas", () -> get(admin.describeClientQuotas(ClientQuotaFilter.contains(List.of(
            ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.USER, "gregor"), ClientQuotaFilterComponent.ofEntityType(ClientQuotaEntity.CLIENT_ID)))).entities()));
        step("describeUserScramCredentials", () -> get(admin.describeUserScramCredentials(List.of("gregor")).all()));
        step("alterUserScramCredentials", () -> get(admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion("gregor", ScramMechanism.SCRAM_SHA_256))).all()));
        step("describeFeatures", () -> get(admin.describeFeatures().featureMetadata()));
        step("updateFeatures, downgrade", () -> {
            short level = (short) (round % 2 == 0 ? 1 : 2);
            get(admin.updateFeatures(Map.of("transaction.version", new FeatureUpdate(level,
                level == 1 ? FeatureUpdate.UpgradeType.SAFE_DOWNGRADE : FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).all());
        });
        step("updateFeatures, refused", () -> get(admin.updateFeatures(Map.of("metadata.version", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UNSAFE_DOWNGRADE)),
            new UpdateFeaturesOptions().validateOnly(true)).all()));
        step("describeMetadataQuorum", () -> get(admin.describeMetadataQuorum().quorumInfo()));
        step("addRaftVoter", () -> get(admin.addRaftVoter(77, Uuid.randomUuid(), Set.of(new RaftVoterEndpoint("CONTROLLER", "127.0.0.1", 9))).all()));
        step("removeRaftVoter", () -> get(admin.removeRaftVoter(77, Uuid.randomUuid()).all()));
        step("unregisterBroker", () -> get(admin.unregisterBroker(99).all()));
        step("createDelegationToken", () -> get(admin.createDelegationToken().delegationToken()));
        step("renewDelegationToken", () -> get(admin.renewDelegationToken(new byte[] {1, 2, 3}).expiryTimestamp()));
        step("expireDelegationToken", () -> get(admin.expireDelegationToken(new byte[] {1, 2, 3}).expiryTimestamp()));
        step("describeDelegationToken", () -> get(admin.describeDelegationToken().delegationTokens()));
        step("telemetry", () -> {
            try (Producer<String, String> p = new KafkaProducer<>(producerProperties(Map.of()))) {
                for (int i = 0; i < 6; i++) {
                    send(p, 1);
                    Thread.sleep(100);
                }
            }
        });
    }

    static void askControllers() throws Exception {
        Properties p = common("controllers");
        p.remove("bootstrap.servers");
        p.put("bootstrap.controllers", controllers);
        try (Admin admin = Admin.create(p)) {
            step("describeCluster of controllers", () -> get(admin.describeCluster().nodes()));
            step("describeFeatures of controllers", () -> get(admin.describeFeatures().featureMetadata()));
            step("describeMetadataQuorum of controllers", () -> get(admin.describeMetadataQuorum().quorumInfo()));
            step("describeConfigs of controllers", () -> get(admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.BROKER, "100"))).all()));
            step("incrementalAlterConfigs of controllers", () -> get(admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.BROKER, ""), List.of(
                new AlterConfigOp(new ConfigEntry("log.cleaner.threads", "1"), AlterConfigOp.OpType.SET)))).all()));
        }
    }

    static void cleanUp(Admin admin) throws Exception {
        step("deleteTopics", () -> get(admin.deleteTopics(List.of("placed-" + round, "nowhere")).all()));
        step("deleteTopics by id", () -> {
            Uuid id = get(admin.describeTopics(List.of(topic())).allTopicNames()).get(topic()).topicId();
            get(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
        });
    }
}
