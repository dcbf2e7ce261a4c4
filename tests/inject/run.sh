#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# System calls that fail from outside, by strace -e inject, under a program that echoes: run.sh ECHO [POLLER].
#
# What is interrupted is made again, and nobody notices; what fails makes the program end with an error, in time and in
# order. EAGAIN is not among them: it says that there is nothing yet, and nothing more would come. Neither is an
# interrupted connect(2), which the kernel goes on with, and strace does not.
set -u
program=$1
export FILCH_POLLER=${2:-epoll}
if ! command -v strace >/dev/null || ! strace -o /dev/null true 2>/dev/null; then
    echo 'skipped: strace is not installed, or may not trace'
    exit 77
fi
passed=0 failed=0

# injected EXPECTED CALL WHAT: EXPECTED is "same" (as if nothing had happened) or "ends" (0 or 1, by itself).
injected() {
    local out status
    out=$(timeout -s KILL 60 strace -f -qq -o /dev/null -e trace="$2" -e inject="$2:$3" "$program" 2>&1)
    status=$?
    if { [ "$1" = same ] && [ "$status" -eq 0 ] && [ "$out" = '3 connections, 0 failed' ]; } ||
        { [ "$1" = ends ] && [ "$status" -le 1 ]; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s:%s: status %s\n%s\n' "$2" "$3" "$status" "$out"
    fi
}

for call in recvfrom sendto accept4 epoll_wait; do
    injected same "$call" error=EINTR:when=1
    injected same "$call" error=EINTR:when=2+3
done
for call in recvfrom sendto accept4 connect epoll_ctl socket listen bind; do
    for error in ENOMEM ECONNRESET; do
        injected ends "$call" "error=$error:when=1"
        injected ends "$call" "error=$error:when=2"
    done
done
injected ends accept4 error=EMFILE:when=1..3
injected ends recvfrom error=EIO:when=1+
injected ends sendto error=EPIPE:when=1+
injected ends epoll_create1 error=EMFILE
injected ends eventfd2 error=ENFILE

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
