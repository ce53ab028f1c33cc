# Compresses and expands at several levels, tests integrity, refuses damage.
for i in $(seq 2000); do echo "line $i $((i * i % 97)) some text that repeats"; done >t; head -c 200000 /bin/bash >b
for l in 1 6 9; do zstd -$l -c t >t.zst; zstd -dc t.zst | cmp - t && echo "level $l ok"; zstd -$l -c b | zstd -dc | md5sum; done
zstd -k -f t; ls t*; zstd -t t.zst && echo whole; rm t; zstd -d -f t.zst && md5sum t; : >e; zstd -c e | zstd -dc | wc -c
zstd -c b | { head -c 20000; } >cut.zst; zstd -t cut.zst 2>/dev/null; echo "cut $?"; echo plain | zstd -dc >/dev/null 2>&1; echo "plain $?"
zstd -9 -c t | wc -c; for i in 1 2 3; do echo part $i | zstd -c; done | zstd -dc
zstd -q --train -o dict $(for i in $(seq 40); do seq $i $((i + 300)) >s$i; echo s$i; done) 2>/dev/null && zstd -q -D dict -c s7 | zstd -q -D dict -dc | md5sum; zstd -q -T2 -19 --long -c b | zstd -q -dc | md5sum
