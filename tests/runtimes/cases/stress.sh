# stress-ng's stressors that cannot hurt the machine, each for a second, verified.
# seconds: 1500
# prints: all good
bad=
for s in access af-alg affinity aio alarm atomic bigheap branch brk cache cap chdir chmod clock clone close context copy-file cpu crypt daemon dentry dir dup eventfd exec \
    fallocate fault fcntl fiemap fifo file-ioctl flock fork fp fpunch fstat full futex get getdent getrandom goto heapsort hash hsearch icache iomix ioprio itimer \
    jpeg judy kcmp key kill landlock lease link list locka lockbus lockf lockofd longjmp lsearch madvise malloc matrix matrix-3d mcontend membarrier memcpy memfd memrate memthrash \
    mergesort mincore misaligned mknod mlock mmap mmapaddr mmapfixed mmapfork mmaphuge mmapmany mprotect mq mremap msg msync munmap mutex nanosleep nice nop null open pidfd pipe pipeherd \
    pkey poll prctl prefetch procfs pthread ptrace pty qsort radixsort randlist readahead reboot-not remap rename resources-not revio ring-pipe rlimit rmap rseq rtc schedpolicy seal seccomp secretmem seek \
    sem sem-sysv sendfile session set shellsort shm shm-sysv sigabrt sigchld sigfd sigfpe sigio signal signest sigpending sigpipe sigq sigrt sigsegv sigsuspend sigtrap skiplist sleep \
    sock sockabuse sockdiag sockfd sockmany sockpair softlockup-not sparsematrix spawn splice stack stackmmap str stream switch symlink sync-file syncload sysinfo tee timer timerfd tlb-shootdown \
    touch tree tsearch tmpfs-not udp udp-flood unlink unshare uprobe-not urandom userfaultfd utime vdso vecfp vecmath vecshuf vecwide vfork vforkmany vm vm-addr vm-rw vm-segv vm-splice wait \
    wcs x86syscall-not xattr yield zero zlib zombie; do
    case $s in *-not) continue ;; esac
    timeout -k 5 40 stress-ng --temp-path /tmp --$s 2 --timeout 1 --verify --quiet --oomable >log 2>&1
    code=$?
    # 3: not here, 4: no resources; the time limit counts, as everything else does
    case $code in 0 | 3 | 4) ;; *) bad="$bad $s($code $(grep -m 1 -i -o 'fail: .*' log | cut -c 1-100))" ;; esac
done
echo "${bad:-all good}"
