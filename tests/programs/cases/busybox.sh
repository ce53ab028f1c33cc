# The static busybox: its shell and its tools, called by name through links.
mkdir b; for t in sh ls awk sed sort tar gzip md5sum sha256sum find xargs vi dc bc printf seq wc cpio unzip hexdump; do ln -s /bin/busybox b/$t; done
cat >t.sh <<'EOF'
PATH=/tmp/b
seq 50 | awk '{ s += $1 } END { print s, sqrt(s) }'; printf 'b\na\n' | sort; echo abc | sed 's/b/X/' | md5sum; seq 500 | sha256sum; find b -name 's*' | sort | xargs echo
mkdir() { /bin/busybox mkdir "$@"; }; mkdir -p q/w; seq 300 >q/n; tar -czf q.tgz q; tar -tzf q.tgz; gzip -c q/n | gzip -dc | wc; f() { [ $1 -lt 2 ] && echo 1 || echo $(($1 * $(f $(($1 - 1))))); }; f 10; echo '2 20 ^ p' | dc; echo abc | hexdump -C
trap 'echo bye' EXIT; (sleep 0.1 2>/dev/null || /bin/busybox sleep 0.1; echo background) & wait; exit 6
EOF
busybox sh t.sh; echo "status $?"; busybox uname -m | sed 's/armv.*/arm/'; busybox ash -c 'echo $0; set -- 1 2 3; echo $#'; busybox nosuch 2>&1; echo $?; busybox bc <<<'scale=10; 4*a(1)' 2>&1 | head -n 1; busybox diff -u <(seq 3) <(seq 2 4) | tail -n +3
