# Files, permissions, links, times, sorting, checksums and numbers.
mkdir -p d/e; for i in 3 1 2; do echo "line $i" >d/$i; done
cat d/* | sort -k2nr | tee all | wc
ln -s 1 d/l; ln d/1 d/h; readlink d/l; stat -c '%h %s %F' d/1 d/l d
touch -d '2001-02-03 04:05:06.789 UTC' d/1; stat -c %y d/1; date -u -d @1000000000 +%FT%T
chmod 4751 d/2; stat -c '%a %A' d/2; cp -a d c; ls -l --time-style=+ c | awk '{print $1, $2, $5, $6, $8}'
mv c/1 c/one; ls -1 c; rm -r c; ls c 2>&1
seq 1 2000 >n; head -n 3 n; tail -n 2 n; tac n | head -n 1; shuf --random-source=n n | head -n 3
md5sum n; sha1sum n; sha256sum n; sha512sum n; b2sum n; cksum n; sum n
factor 1234567890123 18446744073709551557; expr 6 \* 7; numfmt --to=iec 123456789
seq 1 5 | paste -sd+; paste -d, <(seq 3) <(seq 4 6); join <(printf 'a 1\nb 2\n') <(printf 'a x\nb y\n')
cut -c2-4 d/3; tr a-z A-Z <d/3; fold -w 3 d/3; nl d/3; od -An -tx1z d/3; base64 d/3; base32 d/3; comm -12 <(seq 5) <(seq 3 8)
split -l 700 n part; wc -l part*; cat part* | cmp - n && echo same
dd if=n of=m bs=100 count=3 skip=2 2>/dev/null; wc -c <m; truncate -s 1M big; stat -c %s big; du -k --apparent-size big
uniq -c <(printf 'a\na\nb\n'); tsort <<<$'a b\nb c'; printf '%s\n' 10 9 2 | sort -n | tr '\n' ' '; echo
timeout 0.2 sleep 5; echo "timeout $?"; nice -n 5 nice; env -i A=1 env; test -x /bin/ls && echo x
pwd; basename /a/b.c .c; dirname /a/b; realpath d/../d/l; mktemp -u /tmp/XX.fixed 2>/dev/null || echo no template
mkfifo p; (echo via fifo >p &); cat p; id -u; whoami; printf '\u00e9\n'; wc -m <<<é
df --output=fstype /tmp; tty; nproc --all >/dev/null && echo nproc; stat -f -c %T /tmp; uname -s
