# handlers: registered
# rqemu is the one handler: scripts, wrappers, argv[0], environment, deep process trees, programs without a #! line.
ls /proc/sys/fs/binfmt_misc | sort; printf '#!/bin/sh\necho "script $0 $*"\nexec sh -c "echo inner; exec /bin/bash -c \\"exit 12\\""\n' >s; chmod +x s; ./s a b; echo $?; printf '#!/usr/bin/env -S awk -f\nBEGIN { print "awk script", ARGC }\n' >a; chmod +x a; ./a x
(exec -a other-name /bin/bash -c 'echo "$0"; tr "\0" " " </proc/self/cmdline; echo'); env -i A=b /usr/bin/env; echo 'echo no interpreter line' >n; chmod +x n; ./n; cp /bin/true copy; ./copy; echo $?; truncate -s 100 copy; ./copy 2>/dev/null; echo "cut $?"; : >empty; chmod +x empty; ./empty; echo "empty $?"; ./missing 2>/dev/null; echo $?; ./t 2>/dev/null; chmod -x s; ./s 2>/dev/null; echo "denied $?"
readlink /proc/self/exe; bash -c 'cat /proc/$$/comm; :'; for i in 1 2 3; do sh -c "sh -c 'sh -c \"uname -s\"'"; done; find /bin -maxdepth 1 -name 'true' -exec {} \; -exec echo ran \;
