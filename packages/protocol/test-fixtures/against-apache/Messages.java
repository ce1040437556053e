import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.jar.JarFile;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Reads lines of "class version hex" and lets Apache Kafka's generated class read the bytes and write them again. Prints one
 * line for each that comes back different, and "N equal" at the end.
 */
public class Messages {
    public static void main(String[] args) throws Exception {
        Map<String, String> classes = generatedClasses();
        int equal = 0;
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            String[] words = line.split(" ", -1);
            try {
                String name = classes.get(words[0]);
                if (name == null) throw new IllegalStateException("no such class");
                Message message = (Message) Class.forName(name).getDeclaredConstructor().newInstance();
                String written = readAndWrite(message, Short.parseShort(words[1]), HexFormat.of().parseHex(words[2]));
                if (!written.equals(words[2])) throw new IllegalStateException("written as " + written);
                equal++;
            } catch (Exception e) {
                System.out.println(line + " " + e);
            }
        }
        System.out.println(equal + " equal");
    }

    private static String readAndWrite(Message message, short version, byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        message.read(new ByteBufferAccessor(in), version);
        if (in.hasRemaining()) throw new IllegalStateException(in.remaining() + " bytes are left");
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(out), cache, version);
        return HexFormat.of().formatHex(out.array());
    }

    /** Where Kafka's build puts generated messages, by simple name. */
    private static Map<String, String> generatedClasses() throws Exception {
        Map<String, String> classes = new HashMap<>();
        for (String entry : System.getProperty("java.class.path").split(":")) {
            if (!entry.endsWith(".jar") || !entry.contains("kafka-")) continue;
            try (JarFile jar = new JarFile(entry)) {
                for (var file : Collections.list(jar.entries())) {
                    if (!file.getName().endsWith(".class") || file.getName().contains("$")) continue;
                    String name = file.getName().replaceAll("\\.class$", "").replace('/', '.');
                    if (name.matches(".*\\.(generated|common\\.message|common\\.metadata)\\.\\w+")) {
                        classes.putIfAbsent(name.substring(name.lastIndexOf('.') + 1), name);
                    }
                }
            }
        }
        return classes;
    }
}
