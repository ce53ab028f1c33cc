# Archives with links, modes, times and sparse files; every compressor behind them.
mkdir -p s/d; seq 5000 >s/n; ln s/n s/hard; ln -s n s/soft; chmod 750 s/d; truncate -s 3M s/sparse; echo x >>s/sparse; touch -d @1000000000 s/n s/d s; 
for c in '' z j J --zstd; do
    case $c in '' | --*) f="-c $c" x="-x $c" ;; *) f=-c$c x=-x$c ;; esac
    tar $f -S -f a.tar --sort=name --mtime=@1000000000 --owner=0 --group=0 s
    rm -rf o; mkdir o; tar $x -f a.tar -C o; diff -r s o/s && echo "same$c"; stat -c '%h %a' o/s/n o/s/d; done
tar -c --sort=name --mtime=@1000000000 --owner=0 --group=0 --format=ustar s | sha256sum; tar -tvf a.tar --zstd --utc 2>&1 | awk '{print $1, $3, $4, $6}'; tar -xOf a.tar --zstd s/n | md5sum; tar -df a.tar --zstd; tar -c s | tar -t | wc -l; tar -xf /dev/null; echo $?; tar -xf missing.tar; echo $?
