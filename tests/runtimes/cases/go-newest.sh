# The newest Go of Debian: packages that it tests, with signals, processes, the network and the collector.
# seconds: 1500
# needs: /opt/lib/go-1.24/bin/go /opt/share/go-1.24/src
# without riscv64: Debian 13's own Go is as new: the case go runs it
# prints: ok encoding/json
# prints: ok os/signal
# prints: ok os/exec
# prints: ok sync
# prints: ok time
# prints: ok net/http/httptest
# prints: swapped 100 of 100, collected true
export GOROOT=/tmp/root GOCACHE=/tmp/cache GOPATH=/tmp/go GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod CGO_ENABLED=0
mkdir root && cp -rL /opt/share/go-1.24/. root/ && cp -r /opt/lib/go-1.24/bin root/ && mkdir -p root/pkg && cp -r /opt/lib/go-1.24/pkg/tool root/pkg/ && cp /opt/lib/go-1.24/VERSION root/ 2>/dev/null
cd root/src && for p in encoding/json os/signal os/exec sync time net/http/httptest; do ../bin/go test -short $p >/tmp/log 2>&1; awk '/^(ok|FAIL)/ { print $1, $2; exit }' /tmp/log; grep -m 3 -e '--- FAIL' -e panic /tmp/log; done
mkdir /tmp/w && cd /tmp/w && printf 'module w\n' >go.mod && cat >w.go <<'END'
package main

import (
	"fmt"
	"net"
	"runtime"
	"sync"
)

func main() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 2)
				c.Read(b)
				b[0], b[1] = b[1], b[0]
				c.Write(b)
				c.Close()
			}()
		}
	}()
	var group sync.WaitGroup
	var mutex sync.Mutex
	good := 0
	for n := 0; n < 100; n++ {
		group.Add(1)
		go func() {
			defer group.Done()
			c, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				return
			}
			c.Write([]byte("ab"))
			b := make([]byte, 2)
			c.Read(b)
			trash := map[int][]byte{}
			for i := range 1000 {
				trash[i] = make([]byte, i)
			}
			mutex.Lock()
			if string(b) == "ba" && len(trash) == 1000 {
				good++
			}
			mutex.Unlock()
		}()
	}
	group.Wait()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("swapped %d of 100, collected %v\n", good, m.NumGC > 0)
}
END
/tmp/root/bin/go run .
