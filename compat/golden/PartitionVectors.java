import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;
import org.apache.kafka.common.utils.Utils;

/**
 * Prints some of the hashes that Kafka gives keys which anybody can make again, and the SHA-256 of all of them with their partitions;
 * partitioner.test.ts of the protocol package holds ours against it.
 *
 * java -cp "FOLDER OF KAFKA'S JARS/*" compat/golden/PartitionVectors.java 100000
 */
public final class PartitionVectors {
  public static void main(String[] args) throws Exception {
    int count = Integer.parseInt(args[0]);
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    long state = 1;
    for (int n = 0; n < count; n++) {
      byte[] key = new byte[n % 67];
      for (int i = 0; i < key.length; i++) {
        state = (state * 1103515245L + 12345L) & 0x7fffffffL;
        key[i] = (byte) (state >> 16);
      }
      int hash = Utils.murmur2(key);
      digest.update(ByteBuffer.allocate(8).putInt(hash).putInt(Utils.toPositive(hash) % (n % 100 + 1)).array());
      if (n % 5000 == 0) System.out.println(n + " " + HexFormat.of().formatHex(key) + " " + hash);
    }
    System.out.println("sha256 " + HexFormat.of().formatHex(digest.digest()));
  }
}
