// SPDX-License-Identifier: MIT

package main

import "sync"

// A goroutine for each first call, its result by a channel.
func fib(n int64) int64 {
	if n < 2 {
		return n
	}
	left := make(chan int64, 1)
	go func() { left <- fib(n - 1) }()
	right := fib(n - 2)
	return <-left + right
}

func fibRound(r *run) uint64 {
	return uint64(fib(r.n))
}

type board struct {
	size, rows int
	column     [16]int8
}

func (b *board) place(column int) (next board, holds bool) {
	for row := 0; row < b.rows; row++ {
		distance := int(b.column[row]) - column
		rows := b.rows - row
		if distance == 0 || distance == rows || distance == -rows {
			return next, false
		}
	}
	next = *b
	next.column[next.rows] = int8(column)
	next.rows++
	return next, true
}

func solutions(b *board) int64 {
	if b.rows == b.size {
		return 1
	}
	var group sync.WaitGroup
	found := make([]int64, b.size)
	for column := 0; column < b.size; column++ {
		next, holds := b.place(column)
		if !holds {
			continue
		}
		group.Add(1)
		go func(column int) {
			found[column] = solutions(&next)
			group.Done()
		}(column)
	}
	group.Wait()
	var sum int64
	for _, part := range found {
		sum += part
	}
	return sum
}

func nqueensRound(r *run) uint64 {
	return uint64(solutions(&board{size: int(r.n)}))
}

// Each node's children send it their sums.
func skynet(parent chan int64, first, leaves int64) {
	if leaves == 1 {
		parent <- first
		return
	}
	const children = 10
	sums := make(chan int64, children)
	for i := int64(0); i < children; i++ {
		go skynet(sums, first+i*leaves/children, leaves/children)
	}
	var sum int64
	for i := 0; i < children; i++ {
		sum += <-sums
	}
	parent <- sum
}

func skynetRound(r *run) uint64 {
	sum := make(chan int64, 1)
	skynet(sum, 0, r.n)
	return uint64(<-sum)
}

var cells []byte

func flatRound(r *run) uint64 {
	if cells == nil {
		cells = make([]byte, r.n)
	}
	var group sync.WaitGroup
	group.Add(int(r.n))
	for i := range cells {
		go func(cell *byte) {
			*cell = 1
			group.Done()
		}(&cells[i])
	}
	group.Wait()
	var sum uint64
	for i := range cells {
		sum += uint64(cells[i])
		cells[i] = 0
	}
	return sum
}
