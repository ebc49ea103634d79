package main

import (
	"runtime"
	"sync"
)

// sideBySide runs lanes goroutines and adds up what they return.
func sideBySide(lanes uint64, lane func(uint64) uint64) uint64 {
	results := make(chan uint64, 64)
	for i := uint64(0); i < lanes; i++ {
		go func() { results <- lane(i) }()
	}
	sum := uint64(0)
	for i := uint64(0); i < lanes; i++ {
		sum += <-results
	}
	return sum
}

// spawnJoin: each lane starts goroutines that write a one, and waits for all of them, as Go does it: by a WaitGroup.
func spawnJoin(lanes, steps uint64) uint64 {
	return sideBySide(lanes, func(uint64) uint64 {
		ones := make([]uint8, steps)
		var all sync.WaitGroup
		all.Add(int(steps))
		for i := range ones {
			go func() {
				ones[i] = 1
				all.Done()
			}()
		}
		all.Wait()
		sum := uint64(0)
		for _, one := range ones {
			sum += uint64(one)
		}
		return sum
	})
}

func yields(lanes, steps uint64) uint64 {
	return sideBySide(lanes, func(uint64) uint64 {
		for i := uint64(0); i < steps; i++ {
			runtime.Gosched()
		}
		return steps
	})
}

// pingPong: start a peer, send it a ball, wait for it to come back.
func pingPong(lanes, steps uint64) uint64 {
	return sideBySide(lanes, func(uint64) uint64 {
		pongs := uint64(0)
		for i := uint64(0); i < steps; i++ {
			ping, pong := make(chan uint64, 1), make(chan uint64, 1)
			go func() { pong <- <-ping }()
			ping <- 1
			pongs += <-pong
		}
		return pongs
	})
}

// chain: each goroutine starts its successor and ends; the last one reports.
func chain(lanes, steps uint64) uint64 {
	return sideBySide(lanes, func(uint64) uint64 {
		report := make(chan uint64, 1)
		go link(report, 1, steps)
		return <-report
	})
}

func link(report chan<- uint64, done, links uint64) {
	if done == links {
		report <- done
		return
	}
	go link(report, done+1, links)
}

// skynet: a tree with steps leaves, ten children per node, whose leaves return their number.
func skynet(_, steps uint64) uint64 {
	return node(0, steps)
}

func node(first, leaves uint64) uint64 {
	if leaves == 1 {
		return first
	}
	children := min(10, leaves)
	results := make(chan uint64, children)
	for child := uint64(0); child < children; child++ {
		from, to := leaves*child/children, leaves*(child+1)/children
		go func() { results <- node(first+from, to-from) }()
	}
	sum := uint64(0)
	for child := uint64(0); child < children; child++ {
		sum += <-results
	}
	return sum
}

const members = 50

// ring: a token goes round a ring of goroutines joined by channels with one place.
func ring(lanes, steps uint64) uint64 {
	return sideBySide(lanes, func(uint64) uint64 {
		first := make(chan struct{}, 1)
		first <- struct{}{}
		held := make(chan uint64, members)
		inbox := first
		for i := 1; i < members; i++ {
			outbox := make(chan struct{}, 1)
			go member(inbox, outbox, steps, held)
			inbox = outbox
		}
		go member(inbox, first, steps, held)
		sum := uint64(0)
		for i := 0; i < members; i++ {
			sum += <-held
		}
		return sum
	})
}

func member(inbox <-chan struct{}, outbox chan<- struct{}, rounds uint64, held chan<- uint64) {
	for i := uint64(0); i < rounds; i++ {
		<-inbox
		outbox <- struct{}{}
	}
	held <- rounds
}

// mutex: goroutines that hold one mutex across a yield.
func mutex(lanes, steps uint64) uint64 {
	count := uint64(0)
	var lock sync.Mutex
	sideBySide(lanes, func(uint64) uint64 {
		for i := uint64(0); i < steps; i++ {
			lock.Lock()
			runtime.Gosched()
			count++
			lock.Unlock()
		}
		return steps
	})
	return count
}
