/* SPDX-License-Identifier: MIT */
/*
 * Proves that operations on files by the ring do what the system calls do, that one in flight can be cancelled or be late
 * without losing what it moved, and that neither the kernel nor anyone else touches its memory afterwards.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/ring_door.h"
#include "io/uring.h"
#include "tests/api/workers.h"
#include "tests/io/poller.h"

/* The caller's input and output, if it has a ring for files; else NULL, and a line says so. */
static struct filch__io *io_with_ring(void) {
    struct filch__io *io;
    check_int(filch__io_of(filch_runtime_current(), &io), 0);
    struct filch__file_op nothing = {.opcode = FILE_READ, .number = -1, .buffer = &nothing};
    if (io->files != NULL && io->files->submit_and_wait(io, &nothing, FILCH_NEVER) == 0) return io;
    fprintf(stderr, "SKIPPED: files by io_uring, which is not to be had here\n");
    return NULL;
}

static ssize_t made(struct filch__io *io, struct filch__file_op op) {
    check_int(io->files->submit_and_wait(io, &op, FILCH_NEVER), 0);
    return op.answer;
}

/* With the ring that watches descriptors too, and with one for files beside epoll; the monitor's numbers are not ours. */
static void run_with_rings(filch_fn *fn, unsigned workers) {
    filch_options options = {.workers = workers, .no_monitor = true, .poller = FILCH_POLLER_IO_URING};
    check_int(unsetenv("FILCH_POLLER"), 0);
    check_int(filch_run(fn, NULL, &options), 0);
    options.poller = FILCH_POLLER_DEFAULT;
    check_int(filch_run(fn, NULL, &options), 0);
}

/* --------------------------------------------------------------------------------------------------- each operation */

static const char text[] = "filch takes what others have left";

static void writes_and_reads(struct filch__io *io, int number) {
    char buffer[64];
    ssize_t size = sizeof text;
    struct filch__file_op wr = {.opcode = FILE_WRITE, .number = number, .buffer = (void *)(uintptr_t)text};
    wr.size = sizeof text, wr.offset = 10;
    check_int(made(io, wr), size);
    check_int(made(io, (struct filch__file_op){.opcode = FILE_SYNC_DATA, .number = number}), 0);
    check_int(made(io, (struct filch__file_op){.opcode = FILE_SYNC, .number = number}), 0);
    struct filch__file_op rd = {.opcode = FILE_READ, .number = number, .buffer = buffer, .size = 64, .offset = 10};
    check_int(made(io, rd), size);
    check(memcmp(buffer, text, sizeof text) == 0);
    rd.offset = 1000;
    check_int(made(io, rd), 0); /* the end */
}

static void tells_about(struct filch__io *io, int folder, int number) {
    struct statx about;
    struct filch__file_op op = {.opcode = FILE_STAT, .number = folder, .path = "old", .about = &about};
    memset(&about, 0, sizeof about);
    check_int(made(io, op), 0);
    check_int(about.stx_size, 10 + sizeof text);
    memset(&about, 0, sizeof about);
    op.number = number, op.path = "", op.flags = AT_EMPTY_PATH;
    check_int(made(io, op), 0);
    check_int(about.stx_size, 10 + sizeof text);
    check_int(about.stx_mode & 0777, 0640);
}

static void moves_and_removes(struct filch__io *io, int folder) {
    struct filch__file_op op = {.opcode = FILE_RENAME, .number = folder, .path = "old", .to = "inner/new"};
    check_int(
        made(io, (struct filch__file_op){.opcode = FILE_MAKE_DIR, .number = folder, .path = "inner", .mode = 0700}), 0);
    check_int(made(io, op), 0);
    check_int(made(io, op), -ENOENT);
    check_int(faccessat(folder, "inner/new", F_OK, 0), 0);
    op = (struct filch__file_op){.opcode = FILE_UNLINK, .number = folder, .path = "inner"};
    check_int(made(io, op), -EISDIR);
    op.flags = AT_REMOVEDIR;
    check_int(made(io, op), -ENOTEMPTY);
    check_int(made(io, (struct filch__file_op){.opcode = FILE_UNLINK, .number = folder, .path = "inner/new"}), 0);
    check_int(made(io, op), 0);
}

static int every_operation(void *arg) {
    (void)arg;
    struct filch__io *io = io_with_ring();
    if (io == NULL) return 0;
    char path[] = "/tmp/filch-uring-XXXXXX";
    check(mkdtemp(path) != NULL);
    umask(0);
    struct filch__file_op op = {.opcode = FILE_OPEN, .number = AT_FDCWD, .path = path, .flags = O_RDONLY | O_DIRECTORY};
    int folder = (int)made(io, op);
    check(folder >= 0);
    op = (struct filch__file_op){.opcode = FILE_OPEN, .number = folder, .path = "old", .flags = O_RDWR};
    check_int(made(io, op), -ENOENT);
    op.flags |= O_CREAT | O_EXCL, op.mode = 0640;
    int number = (int)made(io, op);
    check(number >= 0 && fcntl(number, F_GETFD) == FD_CLOEXEC);
    check_int(made(io, op), -EEXIST);
    writes_and_reads(io, number);
    tells_about(io, folder, number);
    moves_and_removes(io, folder);
    check_int(made(io, (struct filch__file_op){.opcode = FILE_CLOSE, .number = number}), 0);
    check_int(made(io, (struct filch__file_op){.opcode = FILE_CLOSE, .number = number}), -EBADF);
    check_int(close(folder), 0);
    check_int(rmdir(path), 0);
    return 0;
}

TEST(uring_file, every_operation_does_what_the_system_call_does) {
    run_with_rings(every_operation, 2);
}

static int others(void *arg) {
    (void)arg;
    struct filch__io *io = io_with_ring();
    if (io == NULL) return 0;
    struct filch__file_op op = {.opcode = FILE_TRUNCATE, .number = -1};
    check_int(io->files->submit_and_wait(io, &op, FILCH_NEVER), -ENOSYS);
    op = (struct filch__file_op){.opcode = FILE_READ, .number = -1, .offset = -1}; /* at the file's own position */
    check_int(io->files->submit_and_wait(io, &op, FILCH_NEVER), -ENOSYS);
    op.opcode = FILE_WRITE;
    check_int(io->files->submit_and_wait(io, &op, FILCH_NEVER), -ENOSYS);
    op.opcode = FILE_READ_DIR;
    check_int(io->files->submit_and_wait(io, &op, FILCH_NEVER), -ENOSYS);
    op.opcode = 1000;
    check_int(io->files->submit_and_wait(io, &op, FILCH_NEVER), -ENOSYS);
    return 0;
}

TEST(uring_file, what_it_does_not_make_it_leaves_to_the_pool) {
    run_with_rings(others, 1);
}

/* ------------------------------------------------------------------------------------------------------- in parallel */

enum { TASKS = 64, BLOCKS = 50, BLOCK = 4096 };

struct file_world {
    struct filch__io *io;
    int number;
    unsigned next;
};

static int reads_blocks(void *arg) {
    struct file_world *world = arg;
    unsigned mine = __atomic_fetch_add(&world->next, 1, __ATOMIC_RELAXED);
    uint32_t *buffer = malloc(BLOCK);
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned block = (mine * 7 + i * 31) % TASKS;
        struct filch__file_op op = {.opcode = FILE_READ,
                                    .number = world->number,
                                    .buffer = buffer,
                                    .size = BLOCK,
                                    .offset = (int64_t)block * BLOCK};
        check_int(made(world->io, op), BLOCK);
        for (unsigned word = 0; word < BLOCK / sizeof *buffer; word++) check_int(buffer[word], block);
    }
    free(buffer);
    return 0;
}

static int many_at_once(void *arg) {
    (void)arg;
    char path[] = "/tmp/filch-uring-XXXXXX";
    struct file_world world = {.io = io_with_ring(), .number = mkstemp(path)};
    check(world.number >= 0 && unlink(path) == 0);
    if (world.io == NULL) return close(world.number);
    static uint32_t block[BLOCK / sizeof(uint32_t)];
    for (uint32_t i = 0; i < TASKS; i++) {
        for (size_t word = 0; word < BLOCK / sizeof *block; word++) block[word] = i;
        check_int(pwrite(world.number, block, BLOCK, (off_t)i * BLOCK), BLOCK);
    }
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    for (int i = 0; i < TASKS; i++) check_int(filch_scope_spawn(&scope, NULL, reads_blocks, &world, NULL), 0);
    check_int(filch_scope_close(&scope), 0);
    return close(world.number);
}

TEST(uring_file, of_many_at_once_each_has_its_own) {
    run_with_rings(many_at_once, 4);
    run_with_rings(many_at_once, 1);
}

/* ---------------------------------------------------------------------------------------------------------- cut short */

/* Of a pipe that nothing is in, a read is in flight until something is, or until it is withdrawn. */
struct pipe_world {
    struct filch__io *io;
    int ends[2];
    unsigned begun, read, given_up;
};

static bool pipe_world_open(struct pipe_world *world) {
    *world = (struct pipe_world){.io = io_with_ring()};
    check_int(pipe2(world->ends, O_CLOEXEC), 0);
    return world->io != NULL;
}

static void pipe_world_close(struct pipe_world *world) {
    close(world->ends[0]);
    close(world->ends[1]);
}

static int read_byte(struct pipe_world *world, filch_deadline deadline) {
    char byte = 0;
    struct filch__file_op op = {
        .opcode = FILE_READ, .number = world->ends[0], .buffer = &byte, .size = 1, .answer = -77};
    int error = world->io->files->submit_and_wait(world->io, &op, deadline);
    if (error == 0) {
        check_int(op.answer, 1);
        check_int(byte, 'x');
        __atomic_fetch_add(&world->read, 1, __ATOMIC_RELAXED);
    } else {
        check_int(byte, 0); /* nothing has moved */
        __atomic_fetch_add(&world->given_up, 1, __ATOMIC_RELAXED);
    }
    return error;
}

static int late(void *arg) {
    (void)arg;
    struct pipe_world world;
    if (pipe_world_open(&world)) {
        check_int(read_byte(&world, filch_after(0)), -ETIMEDOUT);
        check_int(read_byte(&world, filch_after(FILCH_MS(5))), -ETIMEDOUT);
        check_int(write(world.ends[1], "x", 1), 1);
        check_int(read_byte(&world, filch_after(FILCH_SEC(1000))), 0);
    }
    pipe_world_close(&world);
    return 0;
}

TEST(uring_file, who_is_late_is_told_so_and_nothing_has_moved) {
    run_with_rings(late, 1);
}

static int reader(void *arg) {
    __atomic_fetch_add(&((struct pipe_world *)arg)->begun, 1, __ATOMIC_RELAXED);
    int error = read_byte(arg, FILCH_NEVER);
    check(error == 0 || error == -ECANCELED);
    return 0;
}

/* 1,000 operations in flight; while they are cancelled, some of them are served. None is lost, and none is served twice. */
static int cancelled(void *arg) {
    (void)arg;
    enum { IN_FLIGHT = 1000, SERVED = 300 };
    struct pipe_world world;
    if (pipe_world_open(&world)) {
        static char bytes[SERVED];
        memset(bytes, 'x', sizeof bytes);
        filch_scope scope;
        check_int(filch_scope_open(&scope, NULL), 0);
        for (int i = 0; i < IN_FLIGHT; i++) check_int(filch_scope_spawn(&scope, NULL, reader, &world, NULL), 0);
        while (__atomic_load_n(&world.begun, __ATOMIC_RELAXED) < IN_FLIGHT) filch_yield();
        check_int(write(world.ends[1], bytes, SERVED / 2), SERVED / 2);
        filch_scope_cancel(&scope);
        check_int(write(world.ends[1], bytes, SERVED / 2), SERVED / 2);
        check_int(filch_scope_close(&scope), -ECANCELED);
        check_int(world.read + world.given_up, IN_FLIGHT);
        check_int(fcntl(world.ends[0], F_SETFL, O_NONBLOCK), 0);
        ssize_t left = read(world.ends[0], bytes, sizeof bytes);
        check_int(world.read + (left < 0 ? 0 : left), SERVED);
    }
    pipe_world_close(&world);
    return 0;
}

TEST(uring_file, a_thousand_in_flight_are_cancelled_and_nothing_is_lost) {
    run_with_rings(cancelled, 4);
    run_with_rings(cancelled, 1);
}

/* A cancelled task makes none. */
static int in_cancelled_scope(void *arg) {
    (void)arg;
    struct pipe_world world;
    if (pipe_world_open(&world)) {
        check_int(write(world.ends[1], "x", 1), 1);
        filch_scope scope;
        check_int(filch_scope_open(&scope, NULL), 0);
        filch_scope_cancel(&scope);
        check_int(read_byte(&world, FILCH_NEVER), -ECANCELED);
        check_int(filch_scope_close(&scope), -ECANCELED);
        check_int(read_byte(&world, FILCH_NEVER), 0);
    }
    pipe_world_close(&world);
    return 0;
}

TEST(uring_file, who_is_cancelled_makes_none) {
    run_with_rings(in_cancelled_scope, 2);
}

/* Reads that race with writes and with their own deadlines. */
static int racing_reader(void *arg) {
    struct pipe_world *world = arg;
    for (int i = 0; i < 100; i++) (void)read_byte(world, filch_after(i % 7 * 20000));
    return 0;
}

static int racing(void *arg) {
    (void)arg;
    enum { READERS = 8, BYTES = 400 };
    struct pipe_world world;
    if (pipe_world_open(&world)) {
        filch_scope scope;
        check_int(filch_scope_open(&scope, NULL), 0);
        for (int i = 0; i < READERS; i++) check_int(filch_scope_spawn(&scope, NULL, racing_reader, &world, NULL), 0);
        for (int i = 0; i < BYTES; i++) {
            check_int(write(world.ends[1], "x", 1), 1);
            if (i % 3 == 0) filch_yield();
            if (i % 50 == 0) check_int(filch_sleep(FILCH_US(100)), 0);
        }
        check_int(filch_scope_close(&scope), 0);
        static char bytes[BYTES];
        check_int(fcntl(world.ends[0], F_SETFL, O_NONBLOCK), 0);
        ssize_t left = read(world.ends[0], bytes, sizeof bytes);
        check_int(world.read + (left < 0 ? 0 : left), BYTES);
    }
    pipe_world_close(&world);
    return 0;
}

TEST(uring_file, a_deadline_that_races_a_completion_loses_and_doubles_nothing) {
    run_with_rings(racing, 4);
    run_with_rings(racing, 1);
}

/* ---------------------------------------------------------------------------------------------------------- put off */

enum { CROWD = 16 };

struct crowd {
    struct pipe_world world;
    atomic_uint answered, ended;
    void (*last)(struct crowd *crowd); /* what the last does in place of asking again */
};

/* All are answered at once; those who ask again do so while others of them may run. */
static int ask_twice(void *arg) {
    struct crowd *crowd = arg;
    __atomic_fetch_add(&crowd->world.begun, 1, __ATOMIC_RELAXED);
    check_int(read_byte(&crowd->world, FILCH_NEVER), 0);
    if (atomic_fetch_add(&crowd->answered, 1) + 1 < CROWD) {
        check_int(read_byte(&crowd->world, FILCH_NEVER), 0);
        atomic_fetch_add(&crowd->ended, 1);
    } else {
        crowd->last(crowd);
    }
    return 0;
}

static void ask_again(struct crowd *crowd) {
    check_int(read_byte(&crowd->world, FILCH_NEVER), 0);
}

static void compute(struct crowd *crowd) {
    while (atomic_load(&crowd->ended) < CROWD - 1) continue;
    ask_again(crowd);
}

static void block(struct crowd *crowd) {
    filch_block_begin();
    /* Nothing is left, unless the monitor is just submitting it, or a spare is at work, whose tasks may ask for more. */
    struct filch__uring *ring = load_acquire(&crowd->world.io->ring);
    bool submitting = load_seq_cst(&ring->submitting) != 0;
    bool left = filch__uring_has_requests(ring);
    check(submitting || !left || load_seq_cst(&filch_runtime_current()->monitor.spare_starts) > 0);
    while (atomic_load(&crowd->ended) < CROWD - 1) continue;
    filch_block_end();
    ask_again(crowd);
}

static void (*last_does)(struct crowd *crowd);

static int ask_in_a_crowd(void *arg) {
    (void)arg;
    struct crowd crowd = {.last = last_does};
    if (pipe_world_open(&crowd.world)) {
        for (int round = 0; round < 20; round++) {
            char bytes[2 * CROWD];
            memset(bytes, 'x', sizeof bytes);
            filch_task *tasks[CROWD];
            atomic_store(&crowd.answered, 0);
            atomic_store(&crowd.ended, 0);
            __atomic_store_n(&crowd.world.begun, 0, __ATOMIC_RELAXED);
            for (int i = 0; i < CROWD; i++) tasks[i] = start(ask_twice, &crowd);
            while (__atomic_load_n(&crowd.world.begun, __ATOMIC_RELAXED) < CROWD) filch_yield();
            check_int(write(crowd.world.ends[1], bytes, sizeof bytes), sizeof bytes);
            for (int i = 0; i < CROWD; i++) check_int(result_of(tasks[i]), 0);
        }
    }
    pipe_world_close(&crowd.world);
    return 0;
}

/* With a monitor, since nothing is put off without one. */
static void ask_with_rings(void (*does)(struct crowd *crowd), unsigned workers) {
    static const filch_poller pollers[] = {FILCH_POLLER_IO_URING, FILCH_POLLER_DEFAULT};
    last_does = does;
    check_int(unsetenv("FILCH_POLLER"), 0);
    for (int i = 0; i < 2; i++) {
        check_int(filch_run(ask_in_a_crowd, NULL, &(filch_options){.workers = workers, .poller = pollers[i]}), 0);
    }
}

/* The worker hands over what was put off before it sleeps. */
TEST(uring_file, what_is_put_off_is_asked_when_nothing_else_is_to_run) {
    ask_with_rings(ask_again, 1);
    ask_with_rings(ask_again, 4);
}

/* The monitor hands it over. */
TEST(uring_file, what_is_put_off_is_not_held_up_by_who_computes) {
    ask_with_rings(compute, 1);
    ask_with_rings(compute, 2);
}

TEST(uring_file, what_is_put_off_is_asked_before_the_worker_blocks) {
    for (int i = 0; i < 5; i++) ask_with_rings(block, 1); /* each time there is no spare at first */
    ask_with_rings(block, 2);
}

/* ---------------------------------------------------------------------------------------------------------- injected */

static int injected(void *arg) {
    (void)arg;
    struct filch__io *io = io_with_ring();
    if (io == NULL) return 0;
    int number = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char bytes[16];
    struct filch__file_op op = {.opcode = FILE_READ, .number = number, .buffer = bytes, .size = sizeof bytes};
    filch__system_fail(1, false, -EIO);
    check_int(made(io, op), -EIO);
    filch__system_fail(1, false, 3);
    check_int(made(io, op), 3);
    filch__system_fail(1, false, -EINTR);
    check_int(made(io, op), sizeof bytes);
    filch__system_fail(1, true, -EIO);
    check_int(made(io, (struct filch__file_op){.opcode = FILE_CLOSE, .number = number}), 0); /* never made to fail */
    filch__system_fail(0, false, 0);
    return 0;
}

TEST(uring_file, failures_are_injected_here_too) {
    run_with_rings(injected, 1);
}
