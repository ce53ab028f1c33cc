# needs: python3
# seconds: 600
# Python's own test_re: the tests that fail, and the result.
python3 -m test -v --timeout 500 test_re >out 2>&1
echo "status $?"
grep -E '^(FAIL|ERROR): ' out | sort
grep -E '^(Ran [0-9]+ tests?|OK|FAILED|Tests result:)' out | sed -E 's/ in [0-9.]+s//'
