// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func yieldRound(r *run, tasks int64) uint64 {
	var group sync.WaitGroup
	var sum int64
	for i := int64(0); i < tasks; i++ {
		group.Add(1)
		go func() {
			for j := int64(0); j < r.n/tasks; j++ {
				runtime.Gosched()
			}
			atomic.AddInt64(&sum, r.n/tasks)
			group.Done()
		}()
	}
	group.Wait()
	return uint64(sum)
}

func spawnAwaitRound(r *run) uint64 {
	var sum uint64
	result := make(chan uint64)
	for i := int64(0); i < r.n; i++ {
		go func() { result <- 1 }()
		sum += <-result
	}
	return sum
}

func spawnManyRound(r *run) uint64 {
	var group sync.WaitGroup
	var sum int64
	before, _ := memory()
	group.Add(int(r.n))
	for i := int64(0); i < r.n; i++ {
		go func() {
			atomic.AddInt64(&sum, 1)
			group.Done()
		}()
	}
	if r.warming {
		after, _ := memory()
		r.extra("bytes_per_task", float64(after-before)/float64(r.n))
	}
	group.Wait()
	return uint64(sum)
}

// Whoever begins last takes the measure, and opens the gate.
func suspendedRound(r *run) uint64 {
	var group sync.WaitGroup
	var waiting int64
	gate := make(chan struct{})
	var resident, pageTables int64
	residentBefore, pageTablesBefore := memory()
	begin := time.Now()
	group.Add(int(r.n))
	for i := int64(0); i < r.n; i++ {
		go func() {
			if atomic.AddInt64(&waiting, 1) == r.n {
				r.charged = time.Since(begin)
				resident, pageTables = memory()
				close(gate)
			}
			<-gate
			group.Done()
		}()
	}
	group.Wait()
	r.extra("bytes_per_task", float64(resident-residentBefore+pageTables-pageTablesBefore)/float64(r.n))
	r.extra("page_table_bytes", float64(pageTables-pageTablesBefore)/float64(r.n))
	return uint64(waiting)
}

// The workers that there are have nothing to do. Go starts a thread only where there is work: each gets a little.
func idleRound(r *run) uint64 {
	var group sync.WaitGroup
	for i := 0; i < r.workers; i++ {
		group.Add(1)
		go func() {
			for end := time.Now().Add(time.Millisecond); time.Now().Before(end); {
			}
			group.Done()
		}()
	}
	group.Wait()
	time.Sleep(20 * time.Millisecond)
	before := processorTime()
	time.Sleep(time.Duration(r.n) * time.Millisecond)
	used := processorTime() - before
	r.charged = used
	r.extra("cpu_ms", float64(used)/1e6)
	return uint64(r.n)
}
