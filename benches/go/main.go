// The workloads of benches/src/workloads, written again for goroutines, and a hello-world server on net/http.
//
//	peers WORKLOAD PROCS LANES STEPS   for each line of its input: runs it, and prints the checksum and nanoseconds
//	peers hello PROCS                  prints its address, then its CPU time in microseconds for each line of its input
//
// It ends with its input.
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

var workloads = map[string]func(lanes, steps uint64) uint64{
	"spawn-join":   spawnJoin,
	"spawn-join-8": spawnJoin,
	"yield":        yields,
	"ping-pong":    pingPong,
	"chain":        chain,
	"skynet":       skynet,
	"ring":         ring,
	"mutex":        mutex,
}

func main() {
	if len(os.Args) < 3 {
		fail("usage: peers WORKLOAD PROCS LANES STEPS, or peers hello PROCS")
	}
	runtime.GOMAXPROCS(int(number(2)))
	if os.Args[1] == "hello" {
		hello()
		return
	}
	run, known := workloads[os.Args[1]]
	if !known || len(os.Args) != 5 {
		fail("there is no workload " + os.Args[1])
	}
	lanes, steps := number(3), number(4)
	eachLine(func() {
		start := time.Now()
		sum := run(lanes, steps)
		fmt.Println(sum, time.Since(start).Nanoseconds())
	})
}

func hello() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err.Error())
	}
	greet := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Hello, world!") }
	go func() { fail(http.Serve(listener, http.HandlerFunc(greet)).Error()) }()
	fmt.Println(listener.Addr())
	eachLine(func() {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			fail(err.Error())
		}
		fmt.Println(used.Utime.Nano()/1000 + used.Stime.Nano()/1000)
	})
}

func eachLine(answer func()) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer()
	}
}

func number(argument int) uint64 {
	value, err := strconv.ParseUint(os.Args[argument], 10, 64)
	if err != nil {
		fail(err.Error())
	}
	return value
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
