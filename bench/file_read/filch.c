/* SPDX-License-Identifier: MIT */
/* Tasks that each have one read under way: 64 for the disk; through the cache as many as workers. */
#include <filch/file.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../base/atomic.h"
#include "../common/filch.h"
#include "file_read.h"

struct shared {
    struct reads reads;
    filch_file file;
};

static int reader(void *arg) {
    struct shared *shared = arg;
    char *block = blocks_alloc(1);
    uint64_t sum = 0;
    for (int64_t offset; (offset = reads_next(&shared->reads)) >= 0;) {
        ssize_t count = filch_file_pread(shared->file, block, READ_SIZE, offset, FILCH_NEVER);
        if (count != READ_SIZE) fail("filch_file_pread: %zd", count);
        sum += first_word(block);
    }
    add_relaxed(&shared->reads.sum, sum);
    free(block);
    return 0;
}

static uint64_t read_by(struct run *run, unsigned count) {
    filch_task *tasks[READERS];
    struct shared shared;
    int error = filch_file_adopt(&shared.file, dup(file_read_number()), NULL);
    if (error != 0) fail("filch_file_adopt: %s", strerror(-error));
    shared.reads = reads_begin(run);
    for (unsigned i = 0; i < count; i++) tasks[i] = must_spawn(reader, &shared);
    for (unsigned i = 0; i < count; i++) must_await(tasks[i]);
    uint64_t checksum = reads_end(&shared.reads, run);
    filch_file_close(shared.file);
    return checksum;
}

uint64_t file_read_filch(struct run *run) {
    return read_by(run, READERS);
}

uint64_t file_read_cached_filch(struct run *run) {
    return read_by(run, run->workers < READERS ? run->workers : READERS);
}
