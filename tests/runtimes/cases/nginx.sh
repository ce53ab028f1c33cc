# nginx with two workers, a thousand connections, reload and a clean stop.
# seconds: 200
# prints: hello
# prints: errors 0 enough 1
# prints: reloaded hello
# prints: stopped 0
mkdir -p www logs && echo hello >www/index.html
cat >conf <<'END'
worker_processes 2; pid /tmp/pid; error_log /tmp/logs/error; user root root;
events { worker_connections 2048; }
http { access_log off; client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c; uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;
server { listen 127.0.0.1:8080 backlog=2000; root /tmp/www; } }
END
ulimit -n 4096
nginx -c /tmp/conf -g 'daemon off;' &
server=$!
for n in $(seq 100); do curl -s http://127.0.0.1:8080/ >/dev/null && break; sleep 0.2; done
curl -s http://127.0.0.1:8080/
# wrk's counters are misaligned where size_t is 32 bits: a SIGBUS on a machine too
[ "$(getconf LONG_BIT)" = 64 ] && wrk -t 2 -c 1000 -d 5s --timeout 20s http://127.0.0.1:8080/ >wrk.log 2>&1 ||
    seq 1500 | xargs -P 50 -I{} curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/ | awk '$1 != 200 { print "Non-2xx" } END { print NR " requests in" }' >wrk.log
echo errors $(grep -c -e 'Socket errors' -e 'Non-2xx' wrk.log) enough $(awk '/requests in/ { print ($1 > 1000) }' wrk.log)
kill -HUP $server; sleep 1
echo reloaded $(curl -s http://127.0.0.1:8080/)
kill -QUIT $server
wait $server
echo stopped $?
