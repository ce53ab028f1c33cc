# The newest Node that npm has: WebAssembly, worker threads, a child; npm itself.
# seconds: 300
# needs: /opt/node/bin/node /opt/npm/index.js
# without riscv64: npm has no node-linux-riscv64
# without i386: Node is not made for i386 any more
# prints: wasm 42
# prints: workers 0,1,4,9
# prints: child true
# prints: npm starts
# prints: one-1.0.0.tgz
# prints: 1
# prints: 42
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
# npm without a registry: its start, a package made, installed with a dependency of the same kind, and a script of it run
export PATH=/opt/node/bin:$PATH npm_config_cache=/tmp/cache npm_config_offline=true npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
npm() { node /opt/npm/bin/npm-cli.js "$@" 2>&1; }
[ "$(npm --version)" = "$(node -p 'require("/opt/npm/package.json").version')" ] && echo npm starts
mkdir one two && (cd one && npm init -y >/dev/null && echo 'module.exports = n => n * 2;' >index.js && npm pack --silent)
cd two && npm init -y >/dev/null && npm pkg set scripts.twice='node -p "require(\"one\")(21)"' && npm install --silent ../one/one-1.0.0.tgz && npm ls --parseable | grep -c node_modules/one && npm run --silent twice
