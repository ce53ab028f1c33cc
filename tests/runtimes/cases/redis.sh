# Redis with its benchmark, scripts, a snapshot; it is stopped cleanly.
# seconds: 300
# prints: PONG
# prints: 6 lines
# prints: 5050
# prints: OK
# prints: stopped 0
redis-server --dir /tmp --save '' >log 2>&1 &
for n in $(seq 100); do redis-cli ping >/dev/null 2>&1 && break; sleep 0.2; done
redis-cli ping
echo $(redis-benchmark -q -n 10000 -c 50 -t set,get,incr,lpush,lpop,sadd | tr '\r' '\n' | grep -c 'requests per second, p50') lines
redis-cli eval 'local s = 0 for i = 1, 100 do s = s + i end return s' 0
redis-cli save
redis-cli shutdown nosave
wait $!
echo stopped $?
