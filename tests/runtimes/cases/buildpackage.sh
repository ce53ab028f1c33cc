# dpkg-buildpackage of Debian's hello: debhelper, configure, make with its tests, and the package that comes of it.
# seconds: 1500
# needs: /usr/bin/dh /usr/bin/makeinfo /usr/bin/help2man /usr/src/hello
# prints: built 0
# prints: Hello, world!
# prints: hello 1
cp -a /usr/src/hello . && cd hello/hello-*
# the links that packages' scripts would have made
mkdir /tmp/bin && for p in aclocal automake; do ln -s /usr/bin/$p-1.* /tmp/bin/$p; done
export PATH=/tmp/bin:$PATH
# what the packages' control files, which are not in the root, say of libraries
printf '%s libc6\n' 'libc 6' 'ld-linux-aarch64 1' 'ld-linux-armhf 3' 'ld-linux-riscv64-lp64d 1' 'ld-linux 2' >debian/shlibs.local
dpkg-buildpackage -b -us -uc -d >../log 2>&1; code=$?
echo built $code; [ $code = 0 ] || tail -n 5 ../log
dpkg-deb -x ../hello_*.deb ../x && ../x/usr/bin/hello
echo $(dpkg-deb -f ../hello_2*.deb Package) $(dpkg-deb -c ../hello_2*.deb | grep -c '/usr/bin/hello$')
