import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs command-line tools of Apache Kafka one after the other in one JVM, for a start of it takes longer than most of them.
 *
 *     Tools FILE      each line: a class and its arguments, in Base64 and separated by blanks; - for the standard input
 *
 * For each line it prints the status of its exit and what it wrote, to both outputs, in Base64.
 */
public class Tools {
    /** Within which what one command of a file has changed is known to the parts of a broker that the next one asks. */
    static final long PUBLISHED_MS = 250;

    static class Exited extends RuntimeException {
        final int status;

        Exited(int status) {
            this.status = status;
        }
    }

    public static void main(String[] files) throws Exception {
        Exit.setExitProcedure((status, message) -> { throw new Exited(status); });
        Exit.setHaltProcedure((status, message) -> { throw new Exited(status); });
        PrintStream out = System.out;
        PrintStream err = System.err;
        var lines = files[0].equals("-") ? new BufferedReader(new InputStreamReader(System.in)) : Files.newBufferedReader(Path.of(files[0]));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            for (int i = 0; i < words.length; i++) words[i] = new String(Base64.getDecoder().decode(words[i]), StandardCharsets.UTF_8);
            var written = new ByteArrayOutputStream();
            var stream = new PrintStream(written, true, StandardCharsets.UTF_8);
            System.setOut(stream);
            System.setErr(stream);
            int status = 0;
            try {
                String[] arguments = java.util.Arrays.copyOfRange(words, 1, words.length);
                Runnable run = () -> {
                    try {
                        Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
                    } catch (ReflectiveOperationException error) {
                        if (error.getCause() instanceof Exited exited) throw exited;
                        throw new RuntimeException(error.getCause() == null ? error : error.getCause());
                    }
                };
                scala(stream, run);
            } catch (Exited exited) {
                status = exited.status;
            } catch (RuntimeException error) {
                status = -1;
                error.printStackTrace(stream);
            }
            stream.flush();
            System.setOut(out);
            System.setErr(err);
            out.println(status + " " + Base64.getEncoder().encodeToString(written.toByteArray()));
            out.flush();
            if (!files[0].equals("-")) Thread.sleep(PUBLISHED_MS);
        }
    }

    /** What is written in Scala prints to the stream of scala.Console, which keeps the one it began with. */
    static void scala(PrintStream stream, Runnable run) throws ReflectiveOperationException {
        Class<?> console = Class.forName("scala.Console$");
        Object module = console.getField("MODULE$").get(null);
        scala.Function0<Object> body = () -> { run.run(); return null; };
        Object withErr = (scala.Function0<Object>) () -> invoke(console, module, "withErr", stream, body);
        invoke(console, module, "withOut", stream, withErr);
    }

    static Object invoke(Class<?> console, Object module, String name, PrintStream stream, Object body) {
        try {
            var method = console.getMethod(name, java.io.OutputStream.class, scala.Function0.class);
            return method.invoke(module, stream, body);
        } catch (java.lang.reflect.InvocationTargetException error) {
            if (error.getCause() instanceof RuntimeException cause) throw cause;
            throw new RuntimeException(error.getCause());
        } catch (ReflectiveOperationException error) {
            throw new RuntimeException(error);
        }
    }
}
