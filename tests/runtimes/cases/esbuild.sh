# The newest esbuild: a bundle, which Debian's Node runs.
# seconds: 120
# needs: /opt/esbuild/bin/esbuild /usr/bin/node
# prints: (()=>{var n=o=>o**2;console.log(n(7),[1,2,3].map(n));})();
# prints: 49 [ 1, 4, 9 ]
echo 'const f = (x: number): number => x ** 2; console.log(f(7), [1,2,3].map(f))' >t.ts
/opt/esbuild/bin/esbuild t.ts --bundle --minify
/opt/esbuild/bin/esbuild t.ts --bundle | node -
