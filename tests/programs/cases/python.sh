# needs: python3
# Numbers, text, containers, modules written in C, threads, processes, sockets, ctypes, signals.
cat >t.py <<'EOF'
import asyncio, bz2, collections, concurrent.futures, ctypes, decimal, fractions, functools, hashlib, heapq, itertools, json, lzma, math, mmap, multiprocessing, os, pickle, queue, random, re, select, signal, socket, sqlite3, statistics, struct, subprocess, sys, tempfile, threading, time, zlib
print(sys.byteorder, sys.maxsize > 2**32, sys.float_info.max, 2**200 // 3**50, divmod(-7, 3), 0.1 + 0.2, round(2.675, 2), 1e16 + 1, float("nan") != float("nan"))
print([f(0.7).hex() for f in (math.sin, math.cos, math.exp, math.log1p, math.gamma, math.erf, math.sqrt)], math.fsum([0.1] * 10), math.comb(50, 25))
print(struct.pack("<bhiqfd", -1, -2, -3, -4, 1.5, -2.5).hex(), struct.unpack(">HI", bytes(range(6))), json.dumps({"a": [1, 2.5, None, "é"]}, sort_keys=True))
random.seed(7); print([random.random() for _ in range(3)], random.sample(range(100), 5), random.gauss(0, 1))
for h in ("md5", "sha1", "sha256", "sha3_256", "blake2b", "blake2s"): print(h, hashlib.new(h, b"abc" * 1000).hexdigest())
data = b"".join(b"%d," % (i * i) for i in range(5000)); print(zlib.crc32(data), zlib.adler32(data), [len(m.compress(data)) for m in (zlib, bz2, lzma)], all(m.decompress(m.compress(data)) == data for m in (zlib, bz2, lzma)))
print(re.findall(r"(\w+)@(\w+\.\w+)", "me@a.b, you@c.d"), re.sub(r"(?P<x>\d+)", lambda m: str(int(m["x"]) * 2), "3 and 21"), decimal.Decimal(1) / 7, fractions.Fraction(355, 113) + 1, statistics.stdev([1, 2, 4, 8]))
class Node: __slots__ = ("v",); __init__ = lambda self, v: setattr(self, "v", v)
print(pickle.loads(pickle.dumps({1: (2, [3]), "x": {4}})), sorted(map(lambda n: n.v, [Node(3), Node(1)])), functools.reduce(lambda a, b: a ^ b, range(1000)), collections.Counter("mississippi").most_common(2), heapq.nsmallest(3, [5, 1, 4, 2]))
total, lock = 0, threading.Lock()
def work():
    global total
    for _ in range(2000):
        with lock: total += 1
ts = [threading.Thread(target=work) for _ in range(8)]; [t.start() for t in ts]; [t.join() for t in ts]; print("threads", total)
with concurrent.futures.ThreadPoolExecutor(4) as p: print(list(p.map(lambda x: x * x, range(10))))
with multiprocessing.get_context("fork").Pool(3) as p: print(p.map(math.factorial, range(10)))
print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"piped", capture_output=True)); print(subprocess.check_output("uname -s; echo $((6*7))", shell=True, text=True).split())
try: subprocess.run(["/no/such/file"])
except FileNotFoundError as e: print(e.errno, e.filename)
print(subprocess.Popen(["sleep", "9"]).terminate(), subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
srv = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(srv.getsockname()); a, _ = srv.accept(); c.sendall(b"x" * 100000); c.close(); got = b"".join(iter(lambda: a.recv(65536), b"")); print("socket", len(got), a.family.name)
l, r = socket.socketpair(); socket.send_fds(l, [b"fd"], [0]); print("fds", len(socket.recv_fds(r, 10, 3)[1]))
async def tick(n): await asyncio.sleep(0.01 * n); return n
async def main(): return await asyncio.gather(*map(tick, (3, 1, 2)))
print(asyncio.run(main()))
hits = []; signal.signal(signal.SIGALRM, lambda *_: hits.append(1)); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01); end = time.monotonic() + 3
while len(hits) < 5 and time.monotonic() < end: pass
signal.setitimer(signal.ITIMER_REAL, 0); print("alarms", len(hits) >= 5)
libc = ctypes.CDLL(None); cb = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(lambda x, y: x[0] - y[0]); arr = (ctypes.c_int * 6)(5, 3, 9, 1, 7, 2); libc.qsort(arr, 6, 4, cb); print(list(arr)); libc.strtod.restype = ctypes.c_double; print(libc.strtod(b"2.5e3", None))
db = sqlite3.connect(":memory:"); db.execute("create table t(a, b)"); db.executemany("insert into t values(?, ?)", [(i, i * i) for i in range(100)]); print(db.execute("select sum(b), avg(a) from t where a % 3 = 0").fetchone())
with tempfile.TemporaryFile() as f: f.write(b"\0" * 8192); f.flush(); m = mmap.mmap(f.fileno(), 8192); m[100:105] = b"hello"; print(m.find(b"hello"), os.fstat(f.fileno()).st_size)
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
sys.setrecursionlimit(20000); print(deep(5000), sum(1 for _ in itertools.permutations(range(7))), sorted(os.environ)[:3], os.uname().sysname, sys.argv)
sys.exit(7)
EOF
python3 t.py one two; echo "status $?"; echo 'raise KeyError("x")' | python3 - 2>&1 | tail -n 1; python3 -c 'import faulthandler, os; os.kill(os.getpid(), 11)'; echo "signal $?"
