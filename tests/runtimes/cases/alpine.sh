# Alpine, whose programs are all musl's and mostly busybox's applets: apk, the shell, text, archives, partitions and file systems in files, sockets.
# root: alpine
# needs: /etc/alpine-release
# without armhf: the package is for arm64 and amd64 alone
# without riscv64: the package is for arm64 and amd64 alone
# without i386: the package is for arm64 and amd64 alone
# prints: Alpine on aarch64
# prints: apk 59 < musl-1.2.5
# prints: nothing changed
# prints: installed
# prints: text 2001000 9b38adb1
# prints: same files
# prints: forked
# prints: fetched
# prints: partitions 1
# prints: fs: 13/4096 files (0.0% non-contiguous), 2358/16384 blocks
# prints: written
# prints: libraries 14 14
# prints: loader 64
# prints: users root:x:0:0:root:/root:/bin/sh
# prints: sudo 0
# prints: signals SEGV 139
echo Alpine on $(uname -m)
echo apk $(apk --no-network info 2>/dev/null | wc -l) $(apk version -t 1.2.3-r1 1.10_rc1) $(apk --no-network info -e -v musl 2>/dev/null | cut -d - -f 1,2)
[ -z "$(apk --no-network audit --system 2>&1)" ] && echo nothing changed
apk --no-network --root /tmp/r --initdb --arch aarch64 add >/dev/null 2>&1 && [ -f /tmp/r/lib/apk/db/installed ] && echo installed
echo text $(seq 1 2000 | sort -rn | awk '{ s += $1 } END { print s }') $(seq 100 | sed -n '/7$/p' | tr '\n' ' ' | md5sum | cut -c1-8)
mkdir from to && cp -R /bin /lib/apk from && tar -C from -c . | gzip -9 | gunzip | tar -C to -x && diff -r from to && echo same files
for i in $(seq 50); do (sh -c 'exit 3'); [ $? = 3 ] || echo bad; done; echo forked
head -c 3000000 /dev/urandom >big; nc -l -p 8080 <big >/dev/null & sleep 1; nc 127.0.0.1 8080 </dev/null | cmp - big && curl -s file:///tmp/big | cmp - big && echo fetched
dd if=/dev/zero of=disk bs=1M count=0 seek=64 2>/dev/null; echo ',32M,L' | sfdisk -q disk; echo partitions $(sfdisk -d disk | grep -c size=)
dd if=/dev/zero of=fs bs=1M count=0 seek=16 2>/dev/null; mkfs.ext4 -q fs && debugfs -w -R 'write /etc/passwd p' fs >/dev/null 2>&1; e2fsck -fn fs 2>/dev/null | tail -n 1
debugfs -R 'cat p' fs 2>/dev/null | cmp - /etc/passwd && echo written
echo libraries $(lddtree /usr/bin/curl | wc -l) $(/lib/ld-musl-aarch64.so.1 --list /usr/bin/curl | wc -l)
/lib/ld-musl-aarch64.so.1 /bin/busybox echo loader $(getconf LONG_BIT)
echo users $(getent passwd root)
sudo -V >/dev/null; echo sudo $?
echo signals $(kill -l 11) $(sh -c 'kill -SEGV $$' 2>/dev/null; echo $?)
