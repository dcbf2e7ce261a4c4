/* SPDX-License-Identifier: MIT */
/* The bare loop: one thread, one ring, 64 reads under way. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "file_read.h"

/* Queues the next read into block `place`; false where no more is to be read. */
static bool queue_read(struct io_uring *ring, struct reads *reads, char *blocks, uint64_t place) {
    int64_t offset = reads_next(reads);
    if (offset < 0) return false;
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    io_uring_prep_read(sqe, reads->fd, blocks + place * READ_SIZE, READ_SIZE, (uint64_t)offset);
    io_uring_sqe_set_data64(sqe, place);
    return true;
}

static uint64_t read_all(struct io_uring *ring, struct reads *reads, char *blocks) {
    struct io_uring_cqe *completions[READERS];
    unsigned under_way = 0;
    uint64_t sum = 0;
    for (uint64_t place = 0; place < READERS; place++) under_way += queue_read(ring, reads, blocks, place);
    while (under_way > 0) {
        int error = io_uring_submit_and_wait(ring, 1);
        if (error < 0 && error != -EINTR) fail("io_uring: %s", strerror(-error));
        unsigned count = io_uring_peek_batch_cqe(ring, completions, READERS);
        for (unsigned i = 0; i < count; i++) {
            uint64_t place = io_uring_cqe_get_data64(completions[i]);
            if (completions[i]->res != READ_SIZE) fail("read: %d", completions[i]->res);
            sum += first_word(blocks + place * READ_SIZE);
            under_way -= !queue_read(ring, reads, blocks, place);
        }
        io_uring_cq_advance(ring, count);
    }
    return sum;
}

uint64_t file_read_io_uring(struct run *run) {
    struct io_uring ring;
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(READERS, &ring, &params);
    if (error != 0) skip("io_uring: %s", strerror(-error));
    char *blocks = blocks_alloc(READERS);
    struct reads reads = reads_begin(run);
    reads.sum = read_all(&ring, &reads, blocks);
    uint64_t checksum = reads_end(&reads, run);
    free(blocks);
    io_uring_queue_exit(&ring);
    return checksum;
}
