// SPDX-License-Identifier: MIT

// filch-bench-go: the workloads as goroutines. Speaks as the other programs of the bench do:
// --one workload system workers n rounds; as a server (servers.go): --serve what system workers hogs argument.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// A measurement, while it is made.
type run struct {
	workload, system string
	workers          int
	n                int64
	rounds           int
	warming          bool
	charged          time.Duration // what the round charges to its operations; 0: the time that it took
	extras           []string
}

type workload struct {
	round func(*run) uint64
	cold  bool
}

var workloads = map[string]workload{
	"fib":             {round: fibRound},
	"nqueens":         {round: nqueensRound},
	"skynet-spawn":    {round: skynetRound},
	"flat-spawn":      {round: flatRound},
	"yield":           {round: func(r *run) uint64 { return yieldRound(r, 2) }},
	"yield-1000":      {round: func(r *run) uint64 { return yieldRound(r, 1000) }},
	"spawn-await":     {round: spawnAwaitRound},
	"spawn-many":      {round: spawnManyRound},
	"mutex":           {round: mutexRound},
	"mutex-1000":      {round: func(r *run) uint64 { return mutexManyRound(r, false) }},
	"mutex-yield":     {round: func(r *run) uint64 { return mutexManyRound(r, true) }},
	"chan-unbuffered": {round: func(r *run) uint64 { return chanRound(r, 0, 1) }},
	"chan-buffered":   {round: func(r *run) uint64 { return chanRound(r, 128, 1) }},
	"chan-mpmc":       {round: func(r *run) uint64 { return chanRound(r, 128, 4) }},
	"pipeline":        {round: pipelineRound},
	"select-ready":    {round: selectReadyRound},
	"select-idle":     {round: selectIdleRound},
	"suspended":       {round: suspendedRound, cold: true},
	"timer-cancel":    {round: timerCancelRound},
	"timer-sleep":     {round: timerSleepRound},
	"idle":            {round: idleRound, cold: true},
}

// After this long no further round is begun.
const longEnough = 500 * time.Millisecond

func fail(what string) {
	fmt.Fprintln(os.Stderr, "filch-bench-go:", what)
	os.Exit(1)
}

func (r *run) extra(name string, value float64) {
	r.extras = append(r.extras, fmt.Sprintf("%s=%.3f", name, value))
}

func measure(r *run, w workload) (charged, wall []string, checksum uint64) {
	if w.cold {
		r.rounds = 1
	} else {
		r.warming = true
		w.round(r)
		r.warming = false
	}
	begin := time.Now()
	for len(wall) < r.rounds && (len(wall) == 0 || time.Since(begin) < longEnough) {
		r.charged = 0
		start := time.Now()
		sum := w.round(r)
		took := time.Since(start)
		if r.charged == 0 {
			r.charged = took
		}
		if len(wall) > 0 && sum != checksum {
			fail("two rounds with different checksums")
		}
		checksum = sum
		charged = append(charged, strconv.FormatInt(int64(r.charged), 10))
		wall = append(wall, strconv.FormatInt(int64(took), 10))
	}
	return
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		fail(err.Error())
	}
	return value
}

func main() {
	a := os.Args
	if len(a) == 7 && a[1] == "--serve" {
		serve(a)
	}
	if len(a) != 7 || a[1] != "--one" {
		fail("this program is started by filch-bench: --one workload system workers n rounds")
	}
	r := &run{workload: a[2], system: a[3], workers: int(number(a[4])), n: number(a[5]), rounds: int(number(a[6]))}
	w, known := workloads[r.workload]
	if !known {
		fail("go does not do " + r.workload)
	}
	runtime.GOMAXPROCS(r.workers)
	charged, wall, checksum := measure(r, w)
	fmt.Printf("result workload=%s system=%s workers=%d n=%d checksum=%d rss_kib=%d charged_ns=%s wall_ns=%s %s\n",
		r.workload, r.system, r.workers, r.n, checksum, statusKiB("VmHWM:"), strings.Join(charged, ","),
		strings.Join(wall, ","), strings.Join(r.extras, " "))
}
