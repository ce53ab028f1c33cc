# Arithmetic, arrays, strings, regular expressions, pipes, sorting, formats.
gawk 'BEGIN { for (i = 0; i < 5; i++) printf "%d %.6f %g %s\n", i, sin(i), exp(i), substr("abcdef", i + 1); print 2^53, 2**0.5, int(-3.7), 7 % 3, 1e300 * 1e10, log(-1) }' 2>&1
seq 1000 | gawk '{ s += $1; q += $1 * $1 } END { print s, q, sqrt(q / NR) }'
gawk -F: '{ c[$7]++ } END { n = asorti(c, k); for (i = 1; i <= n; i++) print k[i], c[k[i]] }' /etc/passwd
gawk 'BEGIN { s = "the quick brown fox"; n = split(s, w); for (i = n; i; i--) printf "%s ", w[i]; print toupper(s); gsub(/o/, "0", s); print s; print match(s, /q[a-z]+/), RSTART, RLENGTH; print gensub(/(.)(.)/, "\\2\\1", "g", "abcd") }'
gawk 'BEGIN { "echo from a pipe" | getline x; print x; print "to sort\nb\na" | "sort"; close("sort"); print strftime("%F", 86400 * 365, 1); print and(12, 10), xor(12, 10), lshift(1, 40), strtonum("0xff") }'
gawk 'function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } BEGIN { print f(18) }'
gawk 'BEGIN { while (i++ < 200000) a[i % 977] += i; n = 0; for (k in a) n += a[k]; print n; PROCINFO["sorted_in"] = "@ind_num_asc"; for (k in a) if (k < 3) print k, a[k] }'
printf 'a,b\n"c d",e\n' | gawk -v FPAT='([^,]+)|("[^"]+")' '{ print NF, $1 }'; gawk 'BEGIN { exit 9 }'; echo $?; gawk -M 'BEGIN { print 2^100 }' 2>/dev/null || echo no bignum
gawk 'BEGIN { srand(42); x = rand(); srand(42); print (x == rand()); printf "%5.2f|%-6s|%06d|%x|%c|%e\n", 3.14159, "ab", 42, 255, 65, 12345.678 }'
