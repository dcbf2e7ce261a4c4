// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"strings"
	"syscall"
	"time"
)

// A field of /proc/self/status, in KiB.
func statusKiB(field string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail(err.Error())
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, field) {
			return number(strings.Fields(line)[1])
		}
	}
	fail("no " + field + " in /proc/self/status")
	return 0
}

// What is resident, and what its page tables take, in bytes.
func memory() (resident, pageTables int64) {
	return statusKiB("VmRSS:") * 1024, statusKiB("VmPTE:") * 1024
}

// What of the processor the process has used.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err.Error())
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
