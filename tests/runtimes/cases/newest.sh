# The newest Node, esbuild, bun (npm) and uv (PyPI): WebAssembly, worker threads, a bundle, a script in TypeScript, an interpreter found.
# seconds: 300
# needs: /opt/node/bin/node /opt/esbuild/bin/esbuild /opt/bun/bin/bun /opt/uv/bin/uv
# prints: wasm 42
# prints: workers 0,1,4,9
# prints: child true
# prints: (()=>{var n=o=>o**2;console.log(n(7),[1,2,3].map(n));})();
# prints: 49 [ 1, 4, 9 ]
# prints: 49 [ 1, 4, 9 ]
# prints: /usr/bin/python3.11
cat >a.js <<'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (!isMainThread) {
    let x = 0;
    for (let i = 0; i < 2e6; i++) x = (x + i * workerData) | 0;
    parentPort.postMessage(workerData * workerData);
} else {
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
        const version = require('child_process').execFileSync(process.execPath, ['--version']).toString().trim();
        console.log('child', version === process.version);
    });
}
END
/opt/node/bin/node a.js
echo 'const f = (x: number): number => x ** 2; console.log(f(7), [1,2,3].map(f))' >t.ts
/opt/esbuild/bin/esbuild t.ts --bundle --minify
/opt/bun/bin/bun run t.ts
/opt/esbuild/bin/esbuild t.ts --bundle | /opt/node/bin/node -
/opt/uv/bin/uv python find --no-cache --offline 3.11
