# Compresses and expands at several levels, tests integrity, refuses damage.
for i in $(seq 2000); do echo "line $i $((i * i % 97)) some text that repeats"; done >t; head -c 200000 /bin/bash >b
for l in 1 6 9; do bzip2 -$l -c t >t.bz2; bzip2 -dc t.bz2 | cmp - t && echo "level $l ok"; bzip2 -$l -c b | bzip2 -dc | md5sum; done
bzip2 -k -f t; ls t*; bzip2 -t t.bz2 && echo whole; rm t; bzip2 -d -f t.bz2 && md5sum t; : >e; bzip2 -c e | bzip2 -dc | wc -c
bzip2 -c b | { head -c 20000; } >cut.bz2; bzip2 -t cut.bz2 2>/dev/null; echo "cut $?"; echo plain | bzip2 -dc >/dev/null 2>&1; echo "plain $?"
bzip2 -9 -c t | wc -c; for i in 1 2 3; do echo part $i | bzip2 -c; done | bzip2 -dc
