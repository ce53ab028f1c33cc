# needs: perl
# Regular expressions, hashes, sort, pack, big numbers, fork, sockets, modules written in C.
cat >t.pl <<'EOF'
use strict; use warnings; use List::Util qw(sum reduce shuffle); use POSIX qw(floor strtol LONG_MAX); use Digest::SHA qw(sha256_hex); use Digest::MD5 qw(md5_hex); use Data::Dumper; use Storable qw(freeze thaw); use Time::Local; use MIME::Base64; use Encode; use IO::Socket::INET; use Math::BigInt; use Time::HiRes qw(usleep alarm);
my %h = map { $_ => length } qw(one three fifteen); print join(",", map { "$_=$h{$_}" } sort { $h{$a} <=> $h{$b} || $a cmp $b } keys %h), "\n";
my $t = "The year 1999 and 2024"; my @y = $t =~ /(\d{4})/g; print "@y\n"; (my $u = $t) =~ s/(\w+)/\u\L$1/g; print "$u\n"; print "named $+{a}\n" if "k=v" =~ /(?<a>\w)=/;
print sum(1 .. 100), " ", (reduce { $a * $b } 1 .. 10), " ", floor(-2.5), " ", 10 / 3, " ", 2**0.5, " ", 1e21, " ", 0.1 + 0.2, " ", 7 % -3, " ", 1 <=> 2, "\n";
print unpack("H*", pack("NnCa4d<", 1, 2, 3, "abc", 1.5)), " ", sha256_hex("x"), " ", md5_hex("x"), " ", encode_base64("hello\0", ""), "\n";
$Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1; print Dumper(thaw(freeze({ a => [1, 2, { b => undef }], c => \"s" })));
print Math::BigInt->new("123456789012345678901234567890")->bpow(3), " ", sprintf("%.15g %e %#x %b %s", 1 / 3, 12345.678, 255, 10, 9**9), "\n";
pipe(my $r, my $w); my $pid = fork // die; if (!$pid) { close $r; print $w "child says hi\n"; exit 5 } close $w; print scalar <$r>; waitpid $pid, 0; print "child ", $? >> 8, "\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 0.05; 1 while 1 }; print "caught $@"; local $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$;
my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die; if (!($pid = fork)) { my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $s->sockport) or die; print $c "over tcp\n"; exit } my $c = $s->accept; print scalar <$c>; wait;
open my $f, "<:encoding(UTF-8)", \encode("UTF-8", "na\x{ef}ve \x{263a}\n"); my $l = <$f>; print length $l, " ", encode("UTF-8", uc $l); print scalar(gmtime 1e9), " ", timegm(0, 0, 0, 1, 0, 2000), "\n";
my @a = sort { $a <=> $b } map { ($_ * 7919) % 10007 } 1 .. 20000; print "$a[0] $a[9999] $a[-1]\n"; my $n = 0; for my $i (1 .. 200000) { $n = ($n * 31 + $i) % 1000003 } print "$n\n"; print "ok\n" if "aaaaaaaaaaaaaaaaaaaaaaaa" =~ /^(a?){24}a{24}$/; printf "%s\n", join " ", map { chr(ord($_) ^ 32) } split //, "Perl"; print `echo sub shell`; system("exit 3"); print $? >> 8, "\n"; sub fact { my $n = shift; $n < 2 ? 1 : $n * fact($n - 1) } print fact(20), "\n"; die "the end\n"
EOF
perl t.pl; echo "status $?"; perl -ne 'print if /root/' /etc/passwd; perl -e 'print "$_\n" for sort { $a <=> $b } grep { $_ & 1 } map { $_ * 3 } 1..9'
