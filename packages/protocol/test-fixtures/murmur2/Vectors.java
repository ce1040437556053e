import java.util.HexFormat;
import java.util.Random;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * Writes vectors of the real murmur2, one a line: key in hex (`-` for the empty one), hash, partition of 7.
 *
 *   java -cp "JARS/*" Vectors.java > vectors.txt        JARS as in capture.mjs of ../batches
 *
 * A thousand keys of 0 to 40 bytes; each byte value comes first in some key, so the sign of a byte is seen in every place.
 */
public class Vectors {
    public static void main(String[] args) {
        Random random = new Random(2011);
        HexFormat hex = HexFormat.of();
        for (int i = 0; i < 1000; i++) {
            byte[] key = new byte[i % 41];
            random.nextBytes(key);
            for (int at = 0; at < Math.min(key.length, 4); at++) key[(at * 7) % key.length] = (byte) (i + 64 * at);
            String text = key.length == 0 ? "-" : hex.formatHex(key);
            System.out.println(text + " " + Utils.murmur2(key) + " " + BuiltInPartitioner.partitionForKey(key, 7));
        }
    }
}
