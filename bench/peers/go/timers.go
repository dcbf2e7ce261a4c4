// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"sort"
	"sync"
	"time"
)

// A timer by itself: nobody waits for it. As many goroutines as workers set and stop them.
func timerCancelRound(r *run) uint64 {
	var group sync.WaitGroup
	sums := make([]uint64, r.workers)
	left := r.n
	for i := 0; i < r.workers; i++ {
		group.Add(1)
		count := left / int64(r.workers-i)
		left -= count
		go func(i int) {
			sum := uint64(0)
			for j := int64(0); j < count; j++ {
				if time.NewTimer(time.Hour).Stop() {
					sum++
				}
			}
			sums[i] = sum
			group.Done()
		}(i)
	}
	group.Wait()
	sum := uint64(0)
	for _, one := range sums {
		sum += one
	}
	return sum
}

func draw(state *uint64) uint64 {
	*state ^= *state << 13
	*state ^= *state >> 7
	*state ^= *state << 17
	return *state
}

// The deadlines are those of bench/timer_sleep/sleeps.c.
func timerSleepRound(r *run) uint64 {
	var group sync.WaitGroup
	state := uint64(88172645463325252)
	deadlines := make([]time.Time, r.n)
	late := make([]int, r.n)
	first := time.Now().Add(time.Duration(r.n*10000 + 10000000))
	for i := range deadlines {
		deadlines[i] = first.Add(time.Duration(draw(&state) % uint64(r.n*10000)))
	}
	before := processorTime()
	group.Add(int(r.n))
	for i := range deadlines {
		go func(i int) {
			time.Sleep(time.Until(deadlines[i]))
			late[i] = int(time.Since(deadlines[i]))
			group.Done()
		}(i)
	}
	group.Wait()
	r.charged = processorTime() - before
	if r.warming {
		return 0
	}
	sort.Ints(late)
	notEarly := uint64(0)
	for _, one := range late {
		if one >= 0 {
			notEarly++
		}
	}
	r.extras = nil
	r.extras = append(r.extras, fmt.Sprintf("late_p50_us=%.3f", float64(late[r.n/2])/1e3),
		fmt.Sprintf("late_p99_us=%.3f", float64(late[r.n*99/100])/1e3))
	return notEarly
}
