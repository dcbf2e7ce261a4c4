/* SPDX-License-Identifier: MIT */
/*
 * Reads of 4 KiB at random places of a file: file-read with O_DIRECT, so that each is the disk's, many at a time;
 * file-read-cached through the kernel's cache. n is the number of reads; the time of an operation is the time that passes
 * for one; beside it per_s, and cpu_us: what of the processor the process took for one.
 *
 * The file is made in the folder TMPDIR, or /var/tmp, and has no name any more while it is read.
 */
#ifndef BENCH_FILE_READ_FILE_READ_H
#define BENCH_FILE_READ_FILE_READ_H

#include "../common/bench.h"

enum { READ_SIZE = 4096, READERS = 64, READER_THREADS = 32 };

/* What the readers of a round share. */
struct reads {
    int fd;
    int64_t n;
    int64_t taken; /* atomic: numbers of reads that have been begun */
    uint64_t sum;  /* atomic: of the first words of the blocks */
};

/* Before each round: makes the file, the first time. */
void file_read_prepare(int64_t n);
void file_read_cached_prepare(int64_t n);

/* Its descriptor. */
int file_read_number(void);

/* Opens a round; tells what came of it, and returns the checksum. */
struct reads reads_begin(const struct run *run);
uint64_t reads_end(struct reads *reads, struct run *run);

/* The offset of the next read, or -1 where no more is to be read. */
int64_t reads_next(struct reads *reads);

/* Memory for `count` blocks, as O_DIRECT wants it. */
char *blocks_alloc(unsigned count);

/* A reader that uses pread(2): reads until no more is to be read, and adds what it has found. */
void read_blocks(struct reads *reads);

/* The first word of a block that has been read. */
uint64_t first_word(const char *block);

round_fn file_read_serial, file_read_pthread, file_read_cached_pthread, file_read_io_uring, file_read_filch,
    file_read_cached_filch;

#endif
