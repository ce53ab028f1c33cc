# needs: sqlite3
# Tables, joins, window functions, JSON, full text, transactions on disk, integrity.
sqlite3 db <<'EOF'
create table p(id integer primary key, name text, v real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into p select i, 'name' || (i % 37), i * 1.1 from n;
create index pn on p(name); select count(*), round(sum(v), 3), avg(id), min(name), max(v) from p; select name, count(*) c, total(v) from p group by name order by c desc, name limit 3;
select id, sum(id) over (order by id rows 2 preceding) from p limit 4; select json_extract('{"a":[1,{"b":2}]}', '$.a[1].b'), json_group_array(id) from (select id from p limit 3);
begin; delete from p where id % 2; rollback; select count(*) from p; begin; update p set v = -v where id < 10; commit; select printf('%.2f', sum(v)) from p where id < 12;
create virtual table d using fts5(t); insert into d values ('the quick brown fox'), ('lazy dogs sleep'); select t from d where d match 'quick OR sleep' order by rank;
select hex(zeroblob(2)), typeof(1.0), 7 / 2, 7 / 2.0, round(2.5), abs(-9223372036854775807), 'é' like 'É', upper('abc'), substr('hello', 2, 3), date(0, 'unixepoch'), julianday('2000-01-01'); explain query plan select * from p where name = 'name3' and id > 5;
vacuum; pragma integrity_check; pragma journal_mode = wal; insert into p values (9999, 'x', 1e308); select v * 10, v from p where id = 9999;
EOF
sqlite3 -csv db 'select * from p limit 2'; sqlite3 db .dump | md5sum; sqlite3 db 'select * from nope' 2>&1; echo $?; (sqlite3 -cmd '.timeout 5000' db 'begin immediate; update p set v = 0 where id = 9999; commit') & sqlite3 -cmd '.timeout 5000' db 'insert into p values(10001, "y", 0)'; wait; sqlite3 db 'select count(*) from p where id > 5000'
