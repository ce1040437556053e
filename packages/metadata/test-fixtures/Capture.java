import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Makes a broker write one of each metadata record that one node can be asked for, and prints the configurations it describes
 * then. Run by capture.sh.
 */
public class Capture {
  public static void main(String[] args) throws Exception {
    String bootstrap = args[0];
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(
          new NewTopic("golden", 3, (short) 1).configs(Map.of("retention.ms", "1000", "cleanup.policy", "compact")),
          new NewTopic("assigned", Map.of(0, List.of(1), 1, List.of(1))),
          new NewTopic("__proto__", 1, (short) 1))).all().get();
      admin.createTopics(List.of(new NewTopic("short-lived", 1, (short) 1))).all().get();
      admin.createPartitions(Map.of("golden", NewPartitions.increaseTo(5))).all().get();
      admin.deleteTopics(List.of("short-lived")).all().get();
      ConfigResource golden = new ConfigResource(ConfigResource.Type.TOPIC, "golden");
      admin.incrementalAlterConfigs(Map.of(golden, List.of(
          new AlterConfigOp(new ConfigEntry("max.message.bytes", "5000"), AlterConfigOp.OpType.SET),
          new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
      admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.BROKER, "1"), List.of(
          new AlterConfigOp(new ConfigEntry("log.retention.ms", "7200000"), AlterConfigOp.OpType.SET)))).all().get();
      Map<String, String> user = new HashMap<>();
      user.put("user", "kafka");
      Map<String, String> everyone = new HashMap<>();
      everyone.put("client-id", null);
      admin.alterClientQuotas(List.of(
          new ClientQuotaAlteration(new ClientQuotaEntity(user), List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1024.0))),
          new ClientQuotaAlteration(new ClientQuotaEntity(everyone), List.of(new ClientQuotaAlteration.Op("request_percentage", 50.5))))).all().get();
      admin.alterClientQuotas(List.of(
          new ClientQuotaAlteration(new ClientQuotaEntity(everyone), List.of(new ClientQuotaAlteration.Op("request_percentage", null))))).all().get();
      admin.alterUserScramCredentials(List.of(
          new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret".getBytes(), "salt".getBytes()),
          new UserScramCredentialUpsertion("bob", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192), "secret".getBytes(), "salt".getBytes()))).all().get();
      admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion("bob", ScramMechanism.SCRAM_SHA_512))).all().get();
      AclBinding read = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "golden", PatternType.LITERAL),
          new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
      AclBinding write = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "gold", PatternType.PREFIXED),
          new AccessControlEntry("User:bob", "10.0.0.1", AclOperation.WRITE, AclPermissionType.DENY));
      admin.createAcls(List.of(read, write)).all().get();
      admin.deleteAcls(List.of(write.toFilter())).all().get();
      Map<String, Object> producerConfig = Map.of("bootstrap.servers", bootstrap, "enable.idempotence", true);
      try (KafkaProducer<String, String> producer = new KafkaProducer<>(producerConfig, new StringSerializer(), new StringSerializer())) {
        producer.send(new ProducerRecord<>("golden", "key", "value")).get();
      }
      describe(admin, ConfigResource.Type.TOPIC, "golden");
      describe(admin, ConfigResource.Type.TOPIC, "assigned");
      describe(admin, ConfigResource.Type.BROKER, "1");
      describe(admin, ConfigResource.Type.BROKER, "");
    }
  }

  /** Tab-separated: resource, key, value, source, ro or rw, type, then name=value@source of each synonym. */
  static void describe(Admin admin, ConfigResource.Type type, String name) throws Exception {
    ConfigResource resource = new ConfigResource(type, name);
    Config config = admin.describeConfigs(List.of(resource), new DescribeConfigsOptions().includeSynonyms(true)).all().get().get(resource);
    List<ConfigEntry> entries = new ArrayList<>(config.entries());
    entries.sort(Comparator.comparing(ConfigEntry::name));
    for (ConfigEntry entry : entries) {
      StringJoiner line = new StringJoiner("\t");
      line.add(type.name().toLowerCase() + ":" + name).add(entry.name()).add(String.valueOf(entry.value())).add(entry.source().name());
      line.add(entry.isReadOnly() ? "ro" : "rw").add(entry.type().name());
      for (ConfigEntry.ConfigSynonym synonym : entry.synonyms()) {
        line.add(synonym.name() + "=" + synonym.value() + "@" + synonym.source());
      }
      System.out.println(line);
    }
  }
}
