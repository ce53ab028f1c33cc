# Compresses and expands at several levels, tests integrity, refuses damage.
for i in $(seq 2000); do echo "line $i $((i * i % 97)) some text that repeats"; done >t; head -c 200000 /bin/bash >b
for l in 1 6 9; do xz -$l -c t >t.xz; xz -dc t.xz | cmp - t && echo "level $l ok"; xz -$l -c b | xz -dc | md5sum; done
xz -k -f t; ls t*; xz -t t.xz && echo whole; rm t; xz -d -f t.xz && md5sum t; : >e; xz -c e | xz -dc | wc -c
xz -c b | { head -c 20000; } >cut.xz; xz -t cut.xz 2>/dev/null; echo "cut $?"; echo plain | xz -dc >/dev/null 2>&1; echo "plain $?"
xz -9 -c t | wc -c; for i in 1 2 3; do echo part $i | xz -c; done | xz -dc
xz -T2 -0 --block-size=50000 -c b | xz -dc | md5sum; xz -c --x86 --lzma2 b | xz -dc | md5sum; xz --robot --list <(xz -c t) 2>/dev/null | cut -f1 | head -n 1; xz -F lzma -c t | xz -dc | md5sum
