# Node: its compilers, collector, worker threads, WebAssembly, streams.
# seconds: 300
# prints: fib 832040
# prints: sha256 b55ed1371e4d59d8
# prints: wasm 42
# prints: workers 0,1,4,9
# prints: objects 300000
# prints: gzip true
# prints: child v
cat >a.js <<'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto'), zlib = require('zlib'), cp = require('child_process');
if (!isMainThread) {
    let x = 0;
    for (let i = 0; i < 2e6; i++) x = (x + i * workerData) | 0;
    parentPort.postMessage(workerData * workerData);
} else {
    const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2);
    console.log('fib', fib(30));
    let h = 'x';
    for (let i = 0; i < 2000; i++) h = crypto.createHash('sha256').update(h).digest('hex');
    console.log('sha256', h.slice(0, 16));
    const bytes = new Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,109,117,108,0,0,10,9,1,7,0,32,0,32,1,108,11]);
    WebAssembly.instantiate(bytes).then(m => {
        let last = 0;
        for (let i = 0; i < 1e5; i++) last = m.instance.exports.mul(6, 7);
        console.log('wasm', last);
        return Promise.all([0, 1, 2, 3].map(n => new Promise((ok, bad) => {
            const w = new Worker(__filename, { workerData: n });
            w.on('message', ok);
            w.on('error', bad);
        })));
    }).then(all => {
        console.log('workers', all.join());
        const list = new Map();
        for (let r = 0; r < 5; r++) for (let i = 0; i < 3e5; i++) list.set(i, { i, s: 'n' + i, a: [i, r] });
        console.log('objects', list.size);
        const data = Buffer.alloc(1 << 20, 'abc');
        console.log('gzip', zlib.gunzipSync(zlib.gzipSync(data)).equals(data));
        console.log('child', cp.execFileSync(process.execPath, ['--version']).toString()[0]);
    });
}
END
node a.js
