/* SPDX-License-Identifier: MIT */
/* Threads that each read with pread(2): 32 for the disk; through the cache as many as workers. */
#include "../common/thread.h"
#include "file_read.h"

static void *reader(void *arg) {
    read_blocks(arg);
    return NULL;
}

static uint64_t read_by(struct run *run, unsigned count) {
    pthread_t threads[READER_THREADS];
    struct reads reads = reads_begin(run);
    for (unsigned i = 0; i < count; i++) threads[i] = thread_start(reader, &reads);
    for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
    return reads_end(&reads, run);
}

uint64_t file_read_pthread(struct run *run) {
    return read_by(run, READER_THREADS);
}

uint64_t file_read_cached_pthread(struct run *run) {
    return read_by(run, run->workers < READER_THREADS ? run->workers : READER_THREADS);
}
