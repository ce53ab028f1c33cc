# diff in each form, patches by ed script, diff3, cmp, sdiff.
seq 20 >a; sed -e 5d -e 's/^12$/twelve/' -e '18a new' a >b; diff a b; diff -u --label a --label b a b; diff -c --label a --label b a b; diff -y -W 30 a b; diff -e a b; echo $?
seq 20 | sed 's/^3$/three/' >c; diff3 b a c; diff3 -m b a c; cmp a b; cmp -l a c | head -n 3; mkdir x y; echo 1 >x/f; echo 2 >y/f; echo 3 >x/only; diff -r x y; diff -q a a && echo equal; sdiff -s a b; diff -w <(echo 'a  b') <(echo 'a b'); diff -i <(echo A) <(echo a) && echo caseless
