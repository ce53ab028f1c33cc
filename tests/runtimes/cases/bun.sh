# The newest bun: a script in TypeScript.
# seconds: 120
# needs: /opt/bun/bin/bun
# without armhf: bun is made for arm64 and x64 alone
# without riscv64: bun is made for arm64 and x64 alone
# without i386: bun is made for arm64 and x64 alone
# prints: 49 [ 1, 4, 9 ]
echo 'const f = (x: number): number => x ** 2; console.log(f(7), [1,2,3].map(f))' >t.ts
/opt/bun/bin/bun run t.ts
