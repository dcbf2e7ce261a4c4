// SPDX-License-Identifier: MIT

package main

import (
	"sync"
	"time"
)

func chanRound(r *run, slots int, count int64) uint64 {
	channel := make(chan uint64, slots)
	sums := make(chan uint64, count)
	var senders sync.WaitGroup
	senders.Add(int(count))
	for i := int64(0); i < count; i++ {
		go func() {
			var sum uint64
			for value := range channel {
				sum += value
			}
			sums <- sum
		}()
		go func(first int64) {
			for k := first; k < r.n; k += count {
				channel <- uint64(k)
			}
			senders.Done()
		}(i)
	}
	senders.Wait()
	close(channel)
	var sum uint64
	for i := int64(0); i < count; i++ {
		sum += <-sums
	}
	return sum
}

// As pipeline_work in bench/pipeline/pipeline.h.
func pipelineWork(item uint64) uint64 {
	for i := 0; i < 1000; i++ {
		item = item*6364136223846793005 + 1442695040888963407
	}
	return item
}

func pipelineRound(r *run) uint64 {
	channel := make(chan uint64, 128)
	go func() {
		for i := int64(0); i < r.n; i++ {
			channel <- pipelineWork(uint64(i))
		}
		close(channel)
	}()
	var sum uint64
	for item := range channel {
		sum += pipelineWork(item)
	}
	return sum
}

func selectFour(channels *[4]chan uint64) uint64 {
	select {
	case value := <-channels[0]:
		return value
	case value := <-channels[1]:
		return value
	case value := <-channels[2]:
		return value
	case value := <-channels[3]:
		return value
	}
}

// As ready in bench/select/filch.c.
func selectReadyRound(r *run) uint64 {
	const slots = 128
	var channels [4]chan uint64
	for i := range channels {
		channels[i] = make(chan uint64, slots)
	}
	var sum uint64
	next := int64(0)
	for taken := int64(0); taken < r.n; {
		for i := range channels {
			for len(channels[i]) < slots {
				if next < r.n {
					channels[i] <- uint64(next)
				} else {
					channels[i] <- 0
				}
				next++
			}
		}
		begin := time.Now()
		for k := 0; k < slots && taken < r.n; k++ {
			sum += selectFour(&channels)
			taken++
		}
		r.charged += time.Since(begin)
	}
	for i := range channels {
		for len(channels[i]) > 0 {
			sum += <-channels[i]
		}
	}
	return sum
}

func selectIdleRound(r *run) uint64 {
	var channels [4]chan uint64
	for i := range channels {
		channels[i] = make(chan uint64)
	}
	go func() {
		for i := int64(0); i < r.n; i++ {
			channels[i%4] <- uint64(i)
		}
	}()
	var sum uint64
	for i := int64(0); i < r.n; i++ {
		sum += selectFour(&channels)
	}
	return sum
}
