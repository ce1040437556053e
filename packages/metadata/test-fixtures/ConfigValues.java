import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Prints what Kafka's own definitions make of some texts, for every key of broker and topic: a line of JSON for each group of
 * keys that answer alike. "=text" is accepted (a broker's with its canonical form), "!message" is refused; {key} stands for the key.
 */
public class ConfigValues {
  static final String[] TEXTS = {"", "a,a", "a,,b", "-5", "0", "1.5", " 1 ", "TRUE", null};

  public static void main(String[] args) {
    Map<String, List<String>> groups = new LinkedHashMap<>();
    ConfigDef broker = AbstractKafkaConfig.CONFIG_DEF;
    for (String key : new TreeSet<>(broker.names())) {
      group(groups, "broker", key, text -> {
        ConfigDef.ConfigKey definition = broker.configKeys().get(key);
        Object value = ConfigDef.parseType(key, text, definition.type);
        if (definition.validator != null) definition.validator.ensureValid(key, value);
        return ConfigDef.convertToString(value, definition.type);
      });
    }
    for (String key : new TreeSet<>(LogConfig.configNames())) {
      group(groups, "topic", key, text -> {
        if (text != null) LogConfig.validate(Map.of(key, text));
        return "";
      });
    }
    groups.forEach((results, keys) -> System.out.println(results.replace("[]", quoteAll(keys))));
  }

  interface Check {
    String apply(String text) throws Exception;
  }

  static void group(Map<String, List<String>> groups, String scope, String key, Check check) {
    StringJoiner results = new StringJoiner(",", "{", "}");
    for (String text : TEXTS) {
      String result;
      try {
        result = "=" + check.apply(text);
      } catch (Exception error) {
        result = "!" + error.getMessage().replace(key, "{key}");
      }
      results.add(quote(String.valueOf(text)) + ":" + quote(result));
    }
    String line = "{\"scope\":" + quote(scope) + ",\"keys\":[],\"results\":" + results + "}";
    groups.computeIfAbsent(line, none -> new ArrayList<>()).add(key);
  }

  static String quoteAll(List<String> texts) {
    StringJoiner joined = new StringJoiner(",", "[", "]");
    for (String text : texts) joined.add(quote(text));
    return joined.toString();
  }

  static String quote(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
