# Regular expressions of each kind over real text.
cd /usr/share/perl-t/t 2>/dev/null || cd /usr/share
f=/usr/share/base-passwd/passwd.master
grep -c . $f; grep -n 'sys' $f; grep -E '^(root|daemon):' $f; grep -P '\d{2}(?=:)' -o $f | sort | uniq -c | sort -k2n; grep -vi NOLOGIN $f; grep -F -w bin $f
printf 'aXb\naYb\n' | grep -o '[XY]'; grep -E '(a|b)\1' <<<aabb; echo $?; grep nothing $f; echo $?; grep -rl 'GNU General Public' /usr/share/doc/bash /usr/share/doc/grep | sort
grep -A1 -B1 games $f; grep -E 'a{2,3}' <<<baab; LC_ALL=C grep -c '[^[:print:]]' /bin/true | awk '{print ($1 > 0)}'
seq 100000 | grep -c 7; seq 100000 | grep -E '^(1.*2|3.*4)$' | md5sum; grep -E '^.*(é|ü).*$' <<<'früh'
