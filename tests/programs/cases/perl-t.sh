# needs: perl
# seconds: 120
# Some of perl's own tests.
cp -r /usr/share/perl-t/t . && cd t || exit 1
for f in op/arith.t op/sprintf2.t op/pack.t op/hash.t op/sort.t op/fork.t op/alarm.t op/int.t op/numconvert.t op/inc.t op/range.t op/split.t op/substr.t op/tr.t op/closure.t re/subst.t io/pipe.t io/fs.t op/64bitint.t op/bop.t base/num.t cmd/while.t; do
    [ -e "$f" ] || { echo "missing $f"; continue; }
    perl -I/usr/share/perl-t/lib "$f" >out 2>/dev/null; printf '%s %s %s %s\n' "$f" "$?" "$(grep -c '^ok' out)" "$(grep '^not ok' out | grep -vc TODO)"
done
