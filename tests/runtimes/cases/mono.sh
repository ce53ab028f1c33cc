# Mono: its compiler, threads, exceptions from faults, the collector.
# seconds: 300
# needs: /usr/bin/mono
# without riscv64: Debian 13 has no mono for riscv64
# prints: 832040 1000 4000000 200000
cat >a.cs <<'END'
using System;
using System.Collections.Generic;
using System.Threading;
class A {
    static int Fib(int n) { return n < 2 ? n : Fib(n - 1) + Fib(n - 2); }
    static string none = null;
    static void Main() {
        int caught = 0; long sum = 0;
        for (int i = 0; i < 1000; i++) try { Console.Write(none.Length); } catch (NullReferenceException) { caught++; }
        var all = new List<Thread>();
        for (int t = 0; t < 4; t++) { var th = new Thread(() => { for (int i = 0; i < 1000000; i++) Interlocked.Increment(ref sum); }); th.Start(); all.Add(th); }
        foreach (var th in all) th.Join();
        var d = new Dictionary<int, string>();
        for (int r = 0; r < 3; r++) for (int i = 0; i < 200000; i++) d[i] = "s" + i;
        GC.Collect();
        Console.WriteLine(Fib(30) + " " + caught + " " + sum + " " + d.Count);
    }
}
END
mcs a.cs && mono a.exe
