/* SPDX-License-Identifier: MIT */
/*
 * Thousands of tasks and some foreign threads that do random things with descriptors of each kind: read, write, wait,
 * poll, splice, close, with deadlines, cancelled meanwhile.
 *
 * A link is a pipe, a pair of Unix sockets or a connection over TCP, with one writer and some readers. Every byte that was
 * written has a place in the stream, and a value that follows from it; the readers of a link count what they have read
 * and sum it up. At the end of a round, of each link as much was read as was written, and its sum is the same; unless its
 * reading end was closed early, and then not more. All numbers that were opened are closed, and at the end of a runtime all
 * memory is given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <filch/fd.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "alloc/alloc.h"
#include "stress/stress.h"

enum { LINKS_MAX = 400, READERS = 3, THREADS = 3, BLOCK = 1500, DISTURBERS = 8 };

struct link {
    filch_fd reading, writing;
    atomic_ullong written, written_sum, read, read_sum;
    atomic_int readers_left;
    atomic_bool cut; /* the reading end may be closed early */
    atomic_bool written_all;
    bool by_threads; /* its writer is a foreign thread */
    uint32_t size;
};

/* Whoever has begun to read may be cancelled: one who has not would never run. */
struct reader {
    struct link *link;
    atomic_bool began;
    atomic_int users; /* the task, and the place where it is exposed */
};

static struct {
    filch_runtime *runtime;
    struct link links[LINKS_MAX];
    unsigned count;
    atomic_uint streams; /* of random numbers */
    atomic_ullong calls;
    atomic_uint links_left;
    struct victim {
        pthread_mutex_t lock;
        filch_task *task;
        struct reader *reader;
    } victims[16];
} world;

static struct filch__random own_random(void) {
    return stress_random(1 + atomic_fetch_add(&world.streams, 1));
}

static filch_deadline some_deadline(struct filch__random *random) {
    switch (below(random, 4)) {
    case 0:
        return (filch_deadline){0};
    case 1:
        return filch_after(below(random, 200000));
    default:
        return FILCH_NEVER;
    }
}

static bool is_short_of_time(ssize_t answer) {
    return answer == -ETIMEDOUT || answer == -ECANCELED;
}

/* ------------------------------------------------------------------------------------------------------------ a link */

/* What byte `place` of a link is. */
static unsigned char byte_at(uint64_t place) {
    return (unsigned char)(place * 167 + (place >> 9));
}

static uint64_t sum_of(const unsigned char *bytes, size_t size) {
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++) sum += (uint64_t)bytes[i] * 2654435761u + 1;
    return sum;
}

static ssize_t write_some(struct link *link, struct filch__random *random, const unsigned char *block, size_t size) {
    filch_deadline deadline = some_deadline(random);
    size_t half = size / 2;
    struct iovec parts[] = {{(void *)(uintptr_t)block, half}, {(void *)(uintptr_t)(block + half), size - half}};
    switch (below(random, 5)) {
    case 0: {
        int answer = filch_fd_wait(link->writing, FILCH_WRITABLE, deadline);
        return answer < 0 ? answer : filch_fd_write(link->writing, block, size, deadline);
    }
    case 1:
        return filch_fd_writev(link->writing, parts, 2, deadline);
    default:
        return filch_fd_write(link->writing, block, size, deadline);
    }
}

/* A shield keeps what only a cancellation would end: the rest is written all the same. */
static void write_link(struct link *link, struct filch__random *random) {
    unsigned char block[BLOCK];
    uint64_t place = 0;
    while (place < link->size) {
        size_t size = 1 + below(random, BLOCK);
        if (size > link->size - place) size = (size_t)(link->size - place);
        for (size_t i = 0; i < size; i++) block[i] = byte_at(place + i);
        ssize_t moved = write_some(link, random, block, size);
        atomic_fetch_add(&world.calls, 1);
        if (moved > 0) {
            atomic_fetch_add(&link->written, (unsigned long long)moved);
            atomic_fetch_add(&link->written_sum, sum_of(block, (size_t)moved));
            place += (uint64_t)moved;
        } else if (moved == -EPIPE || moved == -ECONNRESET) {
            must(atomic_load(&link->cut));
            break;
        } else {
            must(is_short_of_time(moved));
            filch_yield();
        }
    }
    must(filch_fd_close(link->writing) == 0);
    char byte = 0;
    must(filch_fd_write(link->writing, &byte, 1, FILCH_NEVER) == -EBADF);
}

static int writer(void *arg) {
    struct filch__random random = own_random();
    filch_shield shield;
    filch_shield_begin(&shield);
    write_link(arg, &random);
    filch_shield_end(&shield);
    return 0;
}

static void *writer_thread(void *arg) {
    struct filch__random random = own_random();
    write_link(arg, &random);
    return NULL;
}

static ssize_t read_some(struct link *link, struct filch__random *random, unsigned char *block) {
    filch_deadline deadline = some_deadline(random);
    size_t size = 1 + below(random, BLOCK);
    struct iovec parts[] = {{block, size / 2}, {block + size / 2, size - size / 2}};
    int answer = FILCH_READABLE;
    switch (below(random, 8)) {
    case 0:
        answer = filch_fd_wait(link->reading, FILCH_READABLE, deadline);
        break;
    case 1:
        answer = filch_fd_wait(link->reading, FILCH_READABLE | FILCH_WRITABLE, deadline);
        if (answer > 0) answer = FILCH_READABLE; /* a socket has room mostly */
        break;
    case 2:
        return filch_fd_readv(link->reading, parts, 2, deadline);
    default:
        break;
    }
    return answer < 0 ? answer : filch_fd_read(link->reading, block, size, deadline);
}

/* Reads until the end, or it is closed. One that is cancelled leaves the rest to one that is started in its place. */
static int reader(void *arg);

static bool read_link(struct link *link, struct filch__random *random) {
    unsigned char block[BLOCK];
    for (;;) {
        ssize_t moved = read_some(link, random, block);
        atomic_fetch_add(&world.calls, 1);
        if (moved > 0) {
            atomic_fetch_add(&link->read, (unsigned long long)moved);
            atomic_fetch_add(&link->read_sum, sum_of(block, (size_t)moved));
            if (atomic_load(&link->cut) && below(random, 64) == 0) (void)filch_fd_close(link->reading);
        } else if (moved == 0) {
            return true;
        } else if (moved == -EBADF || moved == -ECONNRESET) {
            must(atomic_load(&link->cut));
            return true;
        } else if (moved == -ECANCELED) {
            return false;
        } else {
            must(moved == -ETIMEDOUT);
            filch_yield();
        }
    }
}

static void reader_ends(struct link *link) {
    if (atomic_fetch_sub(&link->readers_left, 1) > 1) return;
    int answer = filch_fd_close(link->reading);
    must(answer == 0 || (answer == -EBADF && atomic_load(&link->cut)));
    atomic_fetch_sub(&world.links_left, 1);
}

static void reader_put(struct reader *reader) {
    if (reader != NULL && atomic_fetch_sub(&reader->users, 1) == 1) free(reader);
}

/* While it stands there, anybody may cancel it. */
static void expose(filch_task *task, struct reader *reader, struct filch__random *random) {
    struct victim *victim = &world.victims[below(random, 16)];
    pthread_mutex_lock(&victim->lock);
    struct victim before = *victim;
    victim->task = task;
    victim->reader = reader;
    pthread_mutex_unlock(&victim->lock);
    filch_task_detach(before.task);
    reader_put(before.reader);
}

static void start_reader(struct link *link, struct filch__random *random) {
    filch_task *task;
    struct reader *new = malloc(sizeof *new);
    must(new != NULL);
    *new = (struct reader){.link = link, .users = 2};
    must(filch_runtime_spawn(world.runtime, &task, reader, new, NULL) == 0);
    expose(task, new, random);
}

static int reader(void *arg) {
    struct reader *self = arg;
    struct link *link = self->link;
    struct filch__random random = own_random();
    atomic_store(&self->began, true);
    if (read_link(link, &random)) {
        reader_ends(link);
    } else {
        start_reader(link, &random);
    }
    reader_put(self);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- disturbance */

static void cancel_one(struct filch__random *random) {
    struct victim *victim = &world.victims[below(random, 16)];
    pthread_mutex_lock(&victim->lock);
    struct victim one = *victim;
    if (one.reader != NULL && atomic_load(&one.reader->began)) {
        filch_task_cancel(one.task);
        victim->task = NULL;
        victim->reader = NULL;
    } else {
        one.task = NULL;
        one.reader = NULL;
    }
    pthread_mutex_unlock(&victim->lock);
    filch_task_detach(one.task);
    reader_put(one.reader);
}

/* A number of its own, opened, polled and closed: the next one has it again. */
static void poll_own(struct filch__random *random) {
    int numbers[2];
    must(pipe2(numbers, O_NONBLOCK | O_CLOEXEC) == 0);
    bool full = below(random, 2) == 0;
    if (full) must(write(numbers[1], "x", 1) == 1);
    int answer = filch_poll(numbers[0], FILCH_READABLE, filch_after(1 + below(random, 50000)));
    must(full ? answer == FILCH_READABLE : answer == -ETIMEDOUT);
    for (int i = 0; i < 2; i++) close(numbers[i]);
}

/* A pipe through which another is led by splice. */
static void splice_own(struct filch__random *random) {
    filch_fd from[2], to[2];
    filch_fd_options options = {.runtime = world.runtime};
    must(filch_pipe_open(&from[0], &from[1], &options) == 0 && filch_pipe_open(&to[0], &to[1], &options) == 0);
    unsigned char block[256], got[256];
    size_t size = 1 + below(random, sizeof block);
    for (size_t i = 0; i < size; i++) block[i] = byte_at(i);
    must(filch_fd_write_all(from[1], block, size, NULL, FILCH_NEVER) == 0);
    for (size_t done = 0; done < size;) {
        ssize_t moved = filch_fd_splice(from[0], to[1], size - done, FILCH_NEVER);
        must(moved > 0);
        done += (size_t)moved;
    }
    must(filch_fd_read_exactly(to[0], got, size, NULL, FILCH_NEVER) == 0);
    must(memcmp(block, got, size) == 0);
    for (int i = 0; i < 2; i++) must(filch_fd_close(from[i]) == 0 && filch_fd_close(to[i]) == 0);
}

static void disturb_once(struct filch__random *random) {
    struct link *link = &world.links[below(random, world.count)];
    switch (below(random, 6)) {
    case 0:
        poll_own(random);
        break;
    case 1:
        splice_own(random);
        break;
    case 2:
        if (atomic_load(&link->cut) && below(random, 16) == 0) (void)filch_fd_close(link->reading);
        break;
    case 3: { /* beside its owners, who may close it meanwhile: that poll would be of another's number */
        int answer = filch_fd_wait(link->reading, FILCH_READABLE, filch_after(below(random, 50000)));
        must(answer > 0 || answer == -ETIMEDOUT || answer == -EBADF);
        break;
    }
    default:
        cancel_one(random);
    }
    atomic_fetch_add(&world.calls, 1);
}

static int disturber(void *arg) {
    (void)arg;
    struct filch__random random = own_random();
    while (atomic_load(&world.links_left) > 0) {
        disturb_once(&random);
        filch_sleep(below(&random, 300000));
    }
    return 0;
}

static void *disturber_thread(void *arg) {
    (void)arg;
    struct filch__random random = own_random();
    while (atomic_load(&world.links_left) > 0) {
        disturb_once(&random);
        usleep(below(&random, 300));
    }
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------------ rounds */

static void open_tcp(int numbers[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listening >= 0 && bind(listening, (struct sockaddr *)&address, length) == 0 && listen(listening, 4) == 0);
    must(getsockname(listening, (struct sockaddr *)&address, &length) == 0);
    numbers[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(numbers[1] >= 0 && connect(numbers[1], (struct sockaddr *)&address, sizeof address) == 0);
    numbers[0] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    must(numbers[0] >= 0);
    close(listening);
}

static void open_link(struct link *link, struct filch__random *random) {
    int numbers[2];
    *link = (struct link){.size = 1 + below(random, 60000), .readers_left = 1 + (int)below(random, READERS)};
    link->cut = below(random, 4) == 0;
    switch (below(random, 4)) {
    case 0:
        must(pipe2(numbers, O_CLOEXEC) == 0);
        break;
    case 1:
        open_tcp(numbers);
        break;
    default:
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers) == 0);
        link->by_threads = below(random, 64) == 0; /* a thread is not to be killed by a pipe */
    }
    filch_fd_options options = {.runtime = world.runtime};
    must(filch_fd_adopt(&link->reading, numbers[0], &options) == 0);
    must(filch_fd_adopt(&link->writing, numbers[1], &options) == 0);
}

static void check_link(const struct link *link) {
    if (link->cut) {
        must(link->read <= link->written);
        return;
    }
    must(link->written == link->size);
    must(link->read == link->written);
    must(link->read_sum == link->written_sum);
}

static void start_link(struct link *link, struct filch__random *random, pthread_t *threads, unsigned *thread_count) {
    for (int i = link->readers_left; i > 0; i--) start_reader(link, random);
    if (link->by_threads && *thread_count < 2 * THREADS) {
        must(pthread_create(&threads[(*thread_count)++], NULL, writer_thread, link) == 0);
    } else {
        must(filch_runtime_spawn(world.runtime, NULL, writer, link, NULL) == 0);
    }
}

static int numbers_open(void) {
    int count = 0;
    for (int number = 0; number < 4096; number++) count += fcntl(number, F_GETFD) >= 0;
    return count;
}

static void one_round(struct filch__random *random) {
    pthread_t threads[3 * THREADS];
    unsigned thread_count = 0;
    world.count = 1 + below(random, below(random, 2) == 0 ? 8 : LINKS_MAX);
    world.links_left = world.count;
    for (unsigned i = 0; i < world.count; i++) open_link(&world.links[i], random);
    for (unsigned i = 0; i < world.count; i++) start_link(&world.links[i], random, threads, &thread_count);
    for (int i = 0; i < DISTURBERS; i++) must(filch_runtime_spawn(world.runtime, NULL, disturber, NULL, NULL) == 0);
    for (int i = 0; i < THREADS; i++) {
        must(pthread_create(&threads[thread_count++], NULL, disturber_thread, NULL) == 0);
    }
    for (unsigned i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
    must(filch_runtime_shutdown(world.runtime, FILCH_NEVER) == 0);
    for (unsigned i = 0; i < world.count; i++) check_link(&world.links[i]);
    for (int i = 0; i < 16; i++) {
        filch_task_detach(world.victims[i].task);
        reader_put(world.victims[i].reader);
        world.victims[i].task = NULL;
        world.victims[i].reader = NULL;
    }
}

int main(int count, char **arguments) {
    stress_begin("fd_mix", count, arguments);
    struct filch__random random = stress_random(0);
    struct rlimit limit;
    must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 0; i < 16; i++) pthread_mutex_init(&world.victims[i].lock, NULL);
    size_t objects = filch__heap_objects();
    int numbers = numbers_open();
    uint64_t before;
    do {
        before = world.calls;
        world.runtime = stress_runtime();
        one_round(&random);
        must(filch_runtime_destroy(world.runtime) == 0);
        must(filch__heap_objects() == objects);
        must(numbers_open() == numbers);
    } while (stress_go_on(world.calls - before));
    return stress_end();
}
