# A script for dash: here-documents, subshells, signals, getopts.
cat >t.sh <<'EOF'
set -eu
n=0; while [ $n -lt 5 ]; do n=$((n + 1)); printf '%d ' $n; done; echo
f() { echo "f: $*"; return 7; }
f a b || echo "returned $?"
while getopts ab:c o; do echo "$o ${OPTARG:-}"; done
shift $((OPTIND - 1)); echo "rest $*"
cat <<X
sum $((3 * 14)) and $(echo nested $(echo twice))
X
(trap 'echo got TERM; exit 5' TERM; kill -TERM $(exec sh -c 'echo $PPID'); sleep 1) || echo "sub $?"
IFS=:; set -- $(echo a:b:c); echo $# $2
umask 027; : >u; stat -c %A u
exec false
EOF
dash t.sh -a -b arg -c x y; echo "status $?"
