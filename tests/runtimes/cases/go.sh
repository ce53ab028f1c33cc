# Go compiles itself a program and packages of its own with their tests, with goroutines and their signals.
# seconds: 1500
# needs: /usr/bin/go
# prints: sum 499999500000 signals true
# prints: ok sort
# prints: ok strconv
# prints: ok sync
export GOCACHE=/tmp/cache GOPATH=/tmp/go GOFLAGS=-mod=mod GOTOOLCHAIN=local GOPROXY=off CGO_ENABLED=0
mkdir w && cd w && printf 'module w\n' >go.mod && cat >w.go <<'END'
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 100)
	signal.Notify(c, syscall.SIGUSR1)
	var group sync.WaitGroup
	var sum int64
	for g := 0; g < 100; g++ {
		group.Add(1)
		go func(from int) {
			defer group.Done()
			for i := from; i < 1000000; i += 100 {
				atomic.AddInt64(&sum, int64(i))
				if i%10000 == 0 {
					syscall.Kill(os.Getpid(), syscall.SIGUSR1)
					_ = make([]byte, 100000)
				}
				if i%1000 == 0 {
					runtime.Gosched()
				}
			}
			func() {
				defer func() { recover() }()
				var p *int
				*p = 1
			}()
		}(g)
	}
	group.Wait()
	fmt.Println("sum", sum, "signals", len(c) > 0)
}
END
go run .
cd "$(go env GOROOT)/src" && for p in sort strconv sync; do go test -short $p 2>&1 | awk '{ print $1, $2 }'; done
