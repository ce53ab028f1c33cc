# PostgreSQL: a cluster is made and started, pgbench runs against it, it is stopped.
# seconds: 400
# user
# prints: 100000
# prints: failed 0 enough 1
# prints: stopped 0
bin=$(echo /usr/lib/postgresql/*/bin)
run() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
mkdir data && chown 1000:1000 data
run $bin/initdb -D data -A trust -U me >initdb.log 2>&1 || tail -n 3 initdb.log
run $bin/pg_ctl -D data -o "-k /tmp -c listen_addresses=127.0.0.1" -l data/log -w start >start.log 2>&1 || tail -n 3 start.log data/log
run $bin/psql -h /tmp -U me postgres -qAt -c 'create table t as select n, md5(n::text) from generate_series(1, 100000) n; select count(*) from t'
run $bin/pgbench -h 127.0.0.1 -U me -q -i -s 1 postgres >init.log 2>&1 || tail -n 3 init.log
run $bin/pgbench -h 127.0.0.1 -U me -c 8 -j 2 -T 10 postgres >bench.log 2>&1
echo failed $(sed -n 's/number of failed transactions: \([0-9]*\).*/\1/p' bench.log) enough $(awk '/actually processed/ { print ($NF > 50) }' bench.log)
run $bin/pg_ctl -D data -m fast -w stop >/dev/null 2>&1
echo stopped $?
