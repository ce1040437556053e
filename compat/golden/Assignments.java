import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;

/**
 * Reads groups from stdin, as packages/client/src/testing/assignor-cases.ts writes them, and prints a line for each: what range,
 * roundrobin, sticky and cooperative-sticky give the members, as digests, or with an argument in full. "fails" is where
 * Java's assignor throws, "unread" where it gives a member partitions of topics that it does not read. assignments.mjs runs it.
 */
public final class Assignments {
  public static void main(String[] args) throws Exception {
    boolean inFull = args.length > 0;
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    List<PartitionInfo> partitions = new ArrayList<>();
    List<String[]> members = new ArrayList<>();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] words = line.split(" ", -1);
      switch (words[0]) {
        case "topic" -> partitions.addAll(partitionsOf(words[1], words[2]));
        case "member" -> members.add(words);
        default -> {
          System.out.println(answer(partitions, members, inFull));
          partitions.clear();
          members.clear();
        }
      }
    }
  }

  /** `RACK,RACK;RACK;;` are three partitions, the third without a rack. */
  private static List<PartitionInfo> partitionsOf(String topic, String racks) {
    List<PartitionInfo> partitions = new ArrayList<>();
    String[] each = racks.substring(0, racks.length() - 1).split(";", -1);
    for (int i = 0; i < each.length; i++) {
      String[] names = each[i].split(",");
      Node[] replicas = new Node[names.length];
      for (int n = 0; n < names.length; n++) {
        replicas[n] = new Node(n, "host", 9092, names[n].isEmpty() ? null : names[n]);
      }
      partitions.add(new PartitionInfo(topic, i, null, replicas, replicas));
    }
    return partitions;
  }

  private static String answer(List<PartitionInfo> partitions, List<String[]> members, boolean inFull) throws Exception {
    Cluster cluster = new Cluster("cluster", List.of(), partitions, Set.of(), Set.of());
    List<ConsumerPartitionAssignor> assignors =
        List.of(new RangeAssignor(), new RoundRobinAssignor(), new StickyAssignor(), new CooperativeStickyAssignor());
    List<String> answers = new ArrayList<>();
    for (int i = 0; i < assignors.size(); i++) {
      Map<String, Subscription> subscriptions = new HashMap<>();
      for (String[] member : members) {
        byte[] bytes = HexFormat.of().parseHex(member[3 + i]);
        short version = ByteBuffer.wrap(bytes).getShort();
        Subscription subscription = ConsumerProtocol.deserializeSubscription(ByteBuffer.wrap(bytes));
        ByteBuffer again = ConsumerProtocol.serializeSubscription(subscription, version);
        if (!Arrays.equals(bytes, bytesOf(again))) throw new AssertionError("Java writes another subscription: " + member[3 + i]);
        if (!member[2].equals("-")) subscription.setGroupInstanceId(Optional.of(member[2]));
        subscriptions.put(member[1], subscription);
      }
      Map<String, Assignment> given;
      try {
        given = assignors.get(i).assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
      } catch (RuntimeException failure) {
        if (inFull) failure.printStackTrace();
        answers.add("fails");
        continue;
      }
      StringBuilder text = new StringBuilder();
      boolean isValid = true;
      for (String[] member : members) {
        List<String> reads = subscriptions.get(member[1]).topics();
        isValid &= given.get(member[1]).partitions().stream().allMatch(partition -> reads.contains(partition.topic()));
        text.append(member[1]).append('=');
        text.append(HexFormat.of().formatHex(bytesOf(ConsumerProtocol.serializeAssignment(given.get(member[1]))))).append('\n');
        if (inFull) System.out.println(assignors.get(i).name() + " " + member[1] + " " + given.get(member[1]).partitions());
      }
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.toString().getBytes(StandardCharsets.UTF_8));
      answers.add(!isValid ? "unread" : Base64.getUrlEncoder().encodeToString(Arrays.copyOf(digest, 6)));
    }
    return String.join(" ", answers);
  }

  private static byte[] bytesOf(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }
}
