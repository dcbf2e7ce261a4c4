// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
)

func mutexRound(r *run) uint64 {
	var mutex sync.Mutex
	var count uint64
	for i := int64(0); i < r.n; i++ {
		mutex.Lock()
		count++
		mutex.Unlock()
	}
	return count
}

func mutexManyRound(r *run, yields bool) uint64 {
	const many = 1000
	var mutex sync.Mutex
	var group sync.WaitGroup
	var count uint64
	group.Add(many)
	for i := 0; i < many; i++ {
		go func() {
			for j := int64(0); j < r.n/many; j++ {
				mutex.Lock()
				count++
				if yields {
					runtime.Gosched()
				}
				mutex.Unlock()
			}
			group.Done()
		}()
	}
	group.Wait()
	return count
}
