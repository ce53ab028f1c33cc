# strace and gdb of this architecture on programs of it.
# seconds: 200
# prints: traced 1 0
# prints: counted 1
# prints: injected 7
# prints: refused EXDEV
# prints: Breakpoint 1, seven
# prints: seven 7
strace -f -o log sh -c 'echo traced >/dev/null; /bin/true; exit 0'; code=$?
echo traced $(grep -c 'execve("/bin/true"' log) $code
strace -c -o log2 true; echo counted $(grep -c total log2)
strace -o log2 -e inject=getppid:retval=7 sh -c 'echo injected $PPID'
strace -o log2 -e inject=getppid:error=EXDEV sh -c :; echo refused $(grep -o 'EXDEV.*INJECTED' log2 | cut -d ' ' -f 1)
printf 'int seven(int n) { return n + 3; }\nint main(void) { return seven(4); }\n' >a.c
gcc -g -O0 a.c -o a
gdb -batch -ex 'break seven' -ex run -ex finish ./a >log3 2>&1
grep -o -m 1 '^Breakpoint 1, seven' log3; awk '/Value returned/ { print "seven", $NF }' log3
