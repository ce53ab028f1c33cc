# OpenSSH: keys, a server, sessions with and without a terminal, files, many connections at once, a clean stop.
# seconds: 300
# needs: /usr/sbin/sshd /usr/bin/ssh
# prints: hello 0
# prints: exit 3
# prints: terminal 24 80
# prints: user 1000
# prints: sum same
# prints: many 100
# prints: refused 255
# prints: stopped 0
mkdir -p /run/sshd /root/.ssh home/.ssh && chmod 755 /root /tmp home && chmod 700 /root/.ssh home/.ssh
ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t rsa -b 2048 -N '' -f key && ssh-keygen -q -t ecdsa -N '' -f other
cp key.pub keys && chmod 644 keys
cat >config <<'END'
Port 2222
ListenAddress 127.0.0.1
HostKey /tmp/host
PidFile /tmp/pid
AuthorizedKeysFile /tmp/keys
PermitRootLogin yes
StrictModes no
UsePAM no
MaxStartups 200
Subsystem sftp /usr/lib/openssh/sftp-server
END
/usr/sbin/sshd -D -f /tmp/config -E /tmp/log &
server=$!
options='-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/tmp/known -o LogLevel=ERROR -o BatchMode=yes'
to() { ssh $options -p 2222 -i /tmp/key "$@"; }
for n in $(seq 100); do to root@127.0.0.1 true 2>/dev/null && break; sleep 0.2; done
echo $(to root@127.0.0.1 echo hello) $?
to root@127.0.0.1 'exit 3'; echo exit $?
echo terminal $(to -tt root@127.0.0.1 'stty rows 24 cols 80; stty size; tty | grep -v pts' | tr -d '\r')
echo user $(to me@127.0.0.1 id -u)
head -c 5000000 /dev/urandom >big
scp -q $options -P 2222 -i key root@127.0.0.1:/tmp/big copy && cmp big copy && echo sum same
echo many $(seq 100 | xargs -P 10 -I{} ssh $options -p 2222 -i /tmp/key root@127.0.0.1 echo {} | sort -n | uniq | wc -l)
ssh $options -p 2222 -i other root@127.0.0.1 true 2>/dev/null; echo refused $?
kill $server
wait $server; echo stopped $(grep -c 'fatal\|error:' log)
