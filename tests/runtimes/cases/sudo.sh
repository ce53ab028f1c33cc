# Set-id programs of this architecture: sudo and su change the user, and what a user says to rqemu counts for nothing.
# seconds: 120
# needs: /usr/bin/sudo
# user
# prints: 0 root 1000
# prints: 1000 me
# prints: refused
# prints: set FOO
# prints: exit 7
# prints: su 1000
# prints: 0 quiet
mkdir -p pam sudoers && for p in sudo su other; do printf 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession required pam_permit.so\n' >pam/$p; done
mount --bind pam /etc/pam.d && mount --bind sudoers /etc/sudoers.d
echo 'me ALL=(root) NOPASSWD: /usr/bin/id, /usr/bin/env, /bin/sh' >sudoers/me && chmod 440 sudoers/me
run() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
echo $(run sudo -n id -u) $(run sudo -n sh -c 'id -un; echo $SUDO_UID')
echo $(sudo -n -u me id -u) $(sudo -n -u '#1000' id -un)
run sudo -n -u nobody true 2>/dev/null || echo refused
run sudo -n FOO=1 env 2>/dev/null | grep -q FOO || echo set FOO
run sudo -n sh -c 'exit 7'; echo exit $?
echo su $(su me -c 'id -u')
run env RQEMU_LOG=strace QEMU_STRACE=1 sudo -n id -u 2>log | tr '\n' ' '; [ -s log ] && head -n 3 log || echo quiet
