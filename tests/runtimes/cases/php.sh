# PHP: recursion, regular expressions, arrays, exceptions.
# seconds: 120
# prints: 75025 5000 caught 3 900150983cd24fb0d6963f7d28e17f72
cat >a.php <<'END'
<?php
function fib($n) { return $n < 2 ? $n : fib($n - 1) + fib($n - 2); }
$a = []; for ($i = 0; $i < 5000; $i++) $a["k$i"] = str_repeat("x", $i % 100);
try { intdiv(1, 0); } catch (DivisionByZeroError $e) { $c = "caught"; }
echo fib(25), " ", count($a), " $c ", preg_match_all('/a+b/', 'ab aab xaaab'), " ", md5("abc"), "\n";
END
php=$(echo /usr/bin/php8.?)
$php a.php
$php -d opcache.enable_cli=1 -r 'for ($i = 0; $i < 100000; $i++) $x = $i * 2;'
