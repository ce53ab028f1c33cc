# Compresses and expands at several levels, tests integrity, refuses damage.
for i in $(seq 2000); do echo "line $i $((i * i % 97)) some text that repeats"; done >t; head -c 200000 /bin/bash >b
for l in 1 6 9; do gzip -$l -c t >t.gz; gzip -dc t.gz | cmp - t && echo "level $l ok"; gzip -$l -c b | gzip -dc | md5sum; done
gzip -k -f t; ls t*; gzip -t t.gz && echo whole; rm t; gzip -d -f t.gz && md5sum t; : >e; gzip -c e | gzip -dc | wc -c
gzip -c b | { head -c 20000; } >cut.gz; gzip -t cut.gz 2>/dev/null; echo "cut $?"; echo plain | gzip -dc >/dev/null 2>&1; echo "plain $?"
gzip -9 -c t | wc -c; for i in 1 2 3; do echo part $i | gzip -c; done | gzip -dc
