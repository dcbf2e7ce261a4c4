/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../base/atomic.h"
#include "file_read.h"

enum { BLOCKS_MAX = 32768, BLOCKS_MIN = 64 };

static struct {
    bool made;
    int fd;
    int64_t blocks;
    int64_t used_ns, begin_ns; /* of the round */
} file;

static uint64_t mix(uint64_t number) {
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

static int64_t process_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* Each block begins with a word that tells which it is. */
static void write_blocks(int fd) {
    enum { TOGETHER = 64 };
    uint64_t *blocks = calloc(TOGETHER, READ_SIZE);
    if (!blocks) fail("no memory");
    for (int64_t first = 0; first < file.blocks; first += TOGETHER) {
        for (int64_t i = 0; i < TOGETHER; i++) blocks[i * (READ_SIZE / 8)] = mix((uint64_t)(first + i));
        ssize_t count = write(fd, blocks, TOGETHER * READ_SIZE);
        if (count != TOGETHER * READ_SIZE)
            skip("no room for the file: %s", count < 0 ? strerror(errno) : "short write");
    }
    free(blocks);
    if (fsync(fd) != 0) fail("fsync: %s", strerror(errno));
}

/* Opened anew for the reading, past the cache if that is what is measured. */
static void make_file(bool direct) {
    char path[PATH_MAX];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/filch-bench-file-XXXXXX", folder && *folder ? folder : "/var/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) skip("no file in that folder: %s", strerror(errno));
    file.fd = open(path, O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
    int error = errno;
    unlink(path);
    if (file.fd < 0) skip("no O_DIRECT in that folder: %s", strerror(error));
    write_blocks(fd);
    if (direct) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    file.made = true;
}

/* As many blocks as reads, within bounds; a multiple of what is written at once. */
static void size_file(int64_t n) {
    file.blocks = BLOCKS_MIN;
    while (file.blocks < n && file.blocks < BLOCKS_MAX) file.blocks *= 2;
}

void file_read_prepare(int64_t n) {
    if (file.made) return;
    size_file(n);
    make_file(true);
}

void file_read_cached_prepare(int64_t n) {
    if (file.made) return;
    size_file(n);
    make_file(false);
}

int file_read_number(void) {
    return file.fd;
}

struct reads reads_begin(const struct run *run) {
    file.begin_ns = now_ns();
    file.used_ns = process_ns();
    return (struct reads){.fd = file.fd, .n = run->n};
}

uint64_t reads_end(struct reads *reads, struct run *run) {
    double n = (double)run->n;
    run_extra(run, "cpu_us", (double)(process_ns() - file.used_ns) / 1e3 / n);
    run_extra(run, "per_s", n * 1e9 / (double)(now_ns() - file.begin_ns));
    return load_relaxed(&reads->sum);
}

int64_t reads_next(struct reads *reads) {
    int64_t number = add_relaxed(&reads->taken, 1);
    if (number >= reads->n) return -1;
    return (int64_t)(mix((uint64_t)number + UINT64_C(0x9e3779b97f4a7c15)) % (uint64_t)file.blocks) * READ_SIZE;
}

char *blocks_alloc(unsigned count) {
    void *memory;
    if (posix_memalign(&memory, READ_SIZE, (size_t)count * READ_SIZE) != 0) fail("no memory");
    return memory;
}

uint64_t first_word(const char *block) {
    uint64_t word;
    memcpy(&word, block, sizeof word);
    return word;
}

void read_blocks(struct reads *reads) {
    char *block = blocks_alloc(1);
    uint64_t sum = 0;
    for (int64_t offset; (offset = reads_next(reads)) >= 0;) {
        if (pread(reads->fd, block, READ_SIZE, offset) != READ_SIZE) fail("pread: %s", strerror(errno));
        sum += first_word(block);
    }
    add_relaxed(&reads->sum, sum);
    free(block);
}
