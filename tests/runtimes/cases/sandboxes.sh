# fakeroot with its daemon, a package built by it, and bubblewrap's namespaces.
# seconds: 200
# needs: /usr/bin/fakeroot-sysv /usr/bin/bwrap /usr/bin/dpkg-deb
# prints: 5 6 brw-r--r--
# prints: -rw-r--r-- root/root 3 ./usr/share/small/file
# prints: small 1.0
# prints: 1 one few
# prints: 7
fakeroot-sysv sh -c 'touch f; chown 5:6 f; mknod b b 1 2; echo $(stat -c "%u %g" f) $(stat -c %A b)'
mkdir -p small/DEBIAN small/usr/share/small && echo hi >small/usr/share/small/file
printf 'Package: small\nVersion: 1.0\nArchitecture: all\nMaintainer: me <me@localhost>\nDescription: small\n' >small/DEBIAN/control
fakeroot-sysv dpkg-deb -b small small.deb >/dev/null && dpkg-deb -c small.deb | awk '/file/ { print $1, $2, $3, $6 }'
dpkg-deb -W small.deb | tr '\t' ' '
bwrap --unshare-pid --unshare-net --unshare-ipc --unshare-uts --hostname one --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp --die-with-parent --as-pid-1 \
    sh -c 'set -- /proc/[0-9]*; few=many; [ $# -gt 3 ] || few=few; echo $$ $(uname -n) $few'
bwrap --ro-bind / / --dev /dev sh -c 'exit 7'
echo $?
