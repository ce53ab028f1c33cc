# Functions, arrays, arithmetic, expansion, traps, pipelines, job status.
fib() { local n=$1; ((n < 2)) && { echo "$n"; return; }; echo $(( $(fib $((n - 1))) + $(fib $((n - 2))) )); }
fib 8
declare -A count
for w in the cat the dog the end; do ((count[$w]++)); done
for k in $(printf '%s\n' "${!count[@]}" | sort); do echo "$k=${count[$k]}"; done
a=(z y x); a+=(w); echo "${#a[@]} ${a[*]:1:2} ${a[-1]}"
s=hello.tar.gz; echo "${s%%.*} ${s#*.} ${s/tar/zip} ${s^^} ${s:2:3}"
echo $((2 ** 40 + 0x1f % 7)) $((-7 / 2)) $((1 << 62))
trap 'echo trapped USR1' USR1; kill -USR1 $$
(exit 3); echo "status $?"
sleep 5 & kill -TERM $!; wait $!; echo "killed: $?"
false | true | (exit 4); echo "${PIPESTATUS[@]}"
while read -r x y; do echo "$y-$x"; done <<<$'1 2\n3 4'
diff <(seq 5) <(seq 2 6)
printf '%q %05d %x %.3f\n' "a b" 42 255 3.14159
[[ foobar =~ ^(foo)(.*)$ ]] && echo "${BASH_REMATCH[2]}"
exec 5<>/tmp/f; echo line >&5; cat /tmp/f; exec 5>&-
coproc cat; echo through >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"; kill "$COPROC_PID"; wait "$COPROC_PID"
case abc in a?c) echo glob ;; esac
ulimit -c 0; ulimit -c
trap 'echo leaving' EXIT
