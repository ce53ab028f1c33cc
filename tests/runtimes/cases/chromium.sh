# Chromium without a screen, with its sandbox (namespaces, seccomp): its processes, JavaScript and WebAssembly, a worker, a picture of the page.
# seconds: 400
# needs: /usr/bin/chromium
# without riscv64: Debian 13 has no chromium for riscv64
# user
# prints: <p id="out">fib 75025 wasm 42 worker 81 sorted true</p>
# prints: PNG 300 x 200
cat >a.html <<'END'
<!DOCTYPE html><p id="out">nothing</p><script>
const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);
const bytes = new Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,109,117,108,0,0,10,9,1,7,0,32,0,32,1,108,11]);
const list = Array.from({length: 100000}, (_, i) => i * 7919 % 100003).sort((a, b) => a - b);
const url = URL.createObjectURL(new Blob(['onmessage = e => postMessage(e.data ** 2)']));
WebAssembly.instantiate(bytes).then(m => {
    const worker = new Worker(url);
    worker.onmessage = e => document.getElementById('out').textContent =
        `fib ${fib(25)} wasm ${m.instance.exports.mul(6, 7)} worker ${e.data} sorted ${list.every((v, i) => !i || list[i - 1] <= v)}`;
    worker.postMessage(9);
});
</script>
END
export HOME=/tmp XDG_RUNTIME_DIR=/tmp
run() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
flags='--headless --disable-gpu --no-first-run --disable-dev-shm-usage --user-data-dir=/tmp/data --virtual-time-budget=20000'
run chromium $flags --screenshot=/tmp/a.png --window-size=300,200 file:///tmp/a.html >log 2>&1
# its processes give each other 15 seconds to begin, and time in a page does not wait for workers
for n in 1 2 3; do run chromium $flags --dump-dom file:///tmp/a.html 2>>log | grep -o '<p id.*</p>' >out; grep -q worker out && break; done
cat out
file a.png | sed -n 's/.*\(PNG\) image data, \([0-9]* x [0-9]*\),.*/\1 \2/p'
