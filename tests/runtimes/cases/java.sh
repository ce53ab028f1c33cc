# javac, and a program of threads, exceptions from faults, and garbage, with each collector and without its compilers.
# seconds: 900
# needs: /usr/lib/jvm
# prints: serial 1499998500000 0 1000 true
# prints: parallel 1499998500000 0 1000 true
# prints: g1 1499998500000 0 1000 true
# prints: z 1499998500000 0 1000 true
# prints: interpreter 1499998500000 0 1000 true
bin=$(echo /usr/lib/jvm/java-[1-9][0-9]-openjdk-*/bin)
cat >Work.java <<'END'
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

public class Work {
    static int length(String s) { return s.length(); }
    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        AtomicLong sum = new AtomicLong();
        ConcurrentHashMap<Integer, Integer> map = new ConcurrentHashMap<>();
        List<Future<?>> all = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            final int from = t;
            all.add(pool.submit(() -> {
                ArrayDeque<byte[]> garbage = new ArrayDeque<>();
                for (int i = from; i < 1_000_000; i += 8) {
                    sum.addAndGet(3L * i);
                    if (i % 16 == 0) {
                        garbage.add(new byte[256]);
                        if (garbage.size() > 200) garbage.removeFirst();
                        map.merge(i % 1000, 1, Integer::sum);
                    }
                }
                map.clear();
            }));
        }
        for (Future<?> f : all) f.get();
        int caught = 0;
        for (int i = 0; i < 100_000; i++)
            try { length(i % 100 == 0 ? null : "four"); } catch (NullPointerException e) { caught++; }
        pool.shutdown();
        boolean sorted = IntStream.range(0, 200_000).parallel().map(i -> i * 7919 % 200_003).sorted().sum() != 0;
        System.out.println(args[0] + " " + sum.get() + " " + map.size() + " " + caught + " " + sorted);
    }
}
END
$bin/javac Work.java
for kind in serial:-XX:+UseSerialGC parallel:-XX:+UseParallelGC g1:-XX:+UseG1GC z:-XX:+UseZGC interpreter:-Xint; do
    flag=${kind#*:}
    # 32-bit virtual machines have fewer collectors
    [ "$(getconf LONG_BIT)" = 64 ] || case $flag in *ZGC) flag=-XX:+UseSerialGC ;; esac
    $bin/java -Xmx128m "$flag" Work "${kind%%:*}"
done
