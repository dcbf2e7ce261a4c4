/* SPDX-License-Identifier: MIT */
/*
 * Proves that the ring loses nothing, however much finds no room; that polls which ended by themselves go on; that a
 * completion of an opening that is over reaches nobody; and that closing lets go of what was polled.
 */
#include "io/uring.h"

#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/io/poller.h"

/* ------------------------------------------------------------------------------------------------------- the ring */

static bool opened(struct filch__uring *ring) {
    const char *why;
    int error = filch__uring_open(ring, &why);
    if (error != 0) fprintf(stderr, "SKIPPED: %s: %s\n", why, strerror(-error));
    return error == 0;
}

static void push_nothing(struct filch__uring *ring, uint64_t word) {
    struct io_uring_sqe sqe = {.opcode = IORING_OP_NOP, .user_data = word << 8 | EVENT_FILE};
    filch__uring_push(ring, &sqe);
}

enum { MANY = 20000 };

/* Each word once, in order, in batches of any size. */
static void reap_all(struct filch__uring *ring, uint64_t count) {
    struct filch__poll_event events[7];
    bool woken = false;
    for (uint64_t next = 0; next < count;) {
        unsigned got = filch__uring_reap(ring, events, 1 + next % 7, &woken);
        if (got == 0) {
            check(filch__uring_needs_look(ring));
            filch__uring_wait(ring, 0);
        }
        for (unsigned i = 0; i < got; i++) check_int(events[i].data >> 8, next++);
    }
    check_int(filch__uring_reap(ring, events, 7, &woken), 0);
    check(!woken && !filch__uring_needs_look(ring));
}

TEST(uring, completions_that_find_no_room_are_kept_and_come_in_order) {
    struct filch__uring ring;
    if (!opened(&ring)) return;
    for (uint64_t i = 0; i < MANY; i++) {
        push_nothing(&ring, i); /* many more than there is room for requests: it submits by itself then */
        if (i % 100 == 0) filch__uring_submit(&ring);
    }
    filch__uring_submit(&ring);
    reap_all(&ring, MANY);
    filch__uring_close(&ring);
}

struct submitter {
    struct filch__uring *ring;
    uint64_t first;
};

enum { SUBMITTERS = 4, EACH = 3000 };

static void *submit_many(void *argument) {
    const struct submitter *submitter = argument;
    for (uint64_t i = 0; i < EACH; i++) {
        push_nothing(submitter->ring, submitter->first + i);
        filch__uring_submit(submitter->ring);
    }
    return NULL;
}

TEST(uring, of_threads_that_submit_at_once_each_request_is_made_once) {
    static unsigned char seen[SUBMITTERS * EACH];
    struct filch__uring ring;
    if (!opened(&ring)) return;
    pthread_t threads[SUBMITTERS];
    struct submitter submitters[SUBMITTERS];
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){&ring, (uint64_t)i * EACH};
        check_int(pthread_create(&threads[i], NULL, submit_many, &submitters[i]), 0);
    }
    for (unsigned left = SUBMITTERS * EACH; left > 0;) {
        struct filch__poll_event events[32];
        bool woken = false;
        filch__uring_wait(&ring, INT64_MAX); /* without a limit: one that is never submitted would hang it */
        unsigned got = filch__uring_reap(&ring, events, 32, &woken);
        for (unsigned i = 0; i < got; i++) check_int(seen[events[i].data >> 8]++, 0);
        left -= got;
    }
    for (unsigned i = 0; i < SUBMITTERS; i++) check_int(pthread_join(threads[i], NULL), 0);
    filch__uring_close(&ring);
}

TEST(uring, a_wait_ends_when_its_time_is_up_and_not_before) {
    struct filch__uring ring;
    if (!opened(&ring)) return;
    struct filch__poll_event event;
    bool woken = false;
    for (int64_t ns = 1; ns < 30000000; ns *= 7) {
        int64_t until_ns = filch__clock_now() + ns;
        filch__uring_wait(&ring, until_ns);
        check(filch__clock_now() >= until_ns);
        check_int(filch__uring_reap(&ring, &event, 1, &woken), 0);
    }
    filch__uring_close(&ring);
}

/* ----------------------------------------------------------------------------------------------------------- polls */

/* Fills the ring with completions by way of one descriptor, until polls end for want of room. */
static void flood(int number) {
    for (int i = 0; i < MANY; i++) post(number);
}

static int flooded(void *arg) {
    (void)arg;
    if (!has_uring("polls that end")) return 0;
    filch_fd first = adopted_event(), second = adopted_event();
    filch_task *tasks[] = {waiting_reader(&first), waiting_reader(&second)};
    flood(filch_fd_number(first)); /* nobody reaps meanwhile: this is the only worker */
    post(filch_fd_number(second));
    check_int(awaited(tasks[0]), 0);
    check_int(awaited(tasks[1]), 0);
    for (int i = 0; i < 100; i++) { /* and what comes later is told of as well */
        tasks[0] = waiting_reader(&first), tasks[1] = waiting_reader(&second);
        post(filch_fd_number(first));
        check_int(awaited(tasks[0]), 0);
        post(filch_fd_number(second));
        check_int(awaited(tasks[1]), 0);
    }
    check_int(filch_fd_close(first), 0);
    check_int(filch_fd_close(second), 0);
    return 0;
}

TEST(uring, polls_that_ended_for_want_of_room_go_on) {
    check_int(filch_run(flooded, NULL, ALONE(FILCH_POLLER_IO_URING)), 0);
}

struct thread_wait {
    filch_fd fd;
    filch_runtime *runtime;
};

/* A thread that is no worker has the descriptor watched, and ends; the kernel withdraws what it has submitted. */
static void *watch_and_end(void *argument) {
    struct thread_wait *wait = argument;
    filch_fd_options options = {.runtime = wait->runtime};
    check_int(filch_fd_adopt(&wait->fd, eventfd(0, EFD_CLOEXEC), &options), 0);
    check_int(filch_fd_wait(wait->fd, FILCH_READABLE, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    return NULL;
}

TEST(uring, a_poll_whose_thread_has_ended_goes_on) {
    for (int poller = FILCH_POLLER_EPOLL; poller <= FILCH_POLLER_IO_URING; poller++) {
        struct thread_wait wait;
        check_int(filch_runtime_create(&wait.runtime, &(filch_options){.workers = 2, .poller = poller}), 0);
        for (int i = 0; i < 20; i++) {
            pthread_t thread;
            check_int(pthread_create(&thread, NULL, watch_and_end, &wait), 0);
            check_int(pthread_join(thread, NULL), 0);
            filch_task *task;
            check_int(filch_runtime_spawn(wait.runtime, &task, read_event, &wait.fd, NULL), 0);
            check_int(usleep(i % 4 * 300), 0);
            post(filch_fd_number(wait.fd));
            check_int(awaited(task), 0);
            check_int(filch_fd_close(wait.fd), 0);
        }
        check_int(filch_runtime_destroy(wait.runtime), 0);
    }
}

/* -------------------------------------------------------------------------------------------------- stale completions */

static uint32_t readiness(filch_fd fd) {
    struct filch__record *record = fd.filch__record;
    return filch__record_ready(record, TO_READ);
}

/* The event of the first opening is there, and not yet seen, when the record is opened again. */
static int reopened(void *arg) {
    (void)arg;
    for (int i = 0; i < 100; i++) {
        filch_fd old = adopted_event();
        filch_task *task = waiting_reader(&old);
        post(filch_fd_number(old));
        check_int(filch_fd_close(old), 0);
        check_int(awaited(task), -EBADF);
        filch_fd new = adopted_event();
        check(new.filch__record == old.filch__record &&new.filch__generation != old.filch__generation);
        check(filch__record_clear(new.filch__record, TO_READ, readiness(new)));
        let_it_look();
        check((readiness(new) & READY) == 0); /* else somebody was told of what was not its own */
        check_int(filch_fd_close(new), 0);
    }
    return 0;
}

TEST(uring, an_event_of_an_opening_that_is_over_reaches_nobody) {
    check_int(filch_run(reopened, NULL, ALONE(FILCH_POLLER_IO_URING)), 0);
    check_int(filch_run(reopened, NULL, ALONE(FILCH_POLLER_EPOLL)), 0);
}

/* ------------------------------------------------------------------------------------------------------------ closing */

struct end {
    filch_fd ours;
    int theirs;
};

static int read_our_end(void *argument) {
    char byte;
    return (int)filch_fd_read(((struct end *)argument)->ours, &byte, 1, FILCH_NEVER);
}

static int closer(void *arg) {
    struct end *end = arg;
    check_int(filch_fd_close(end->ours), 0);
    return 0;
}

/* What one worker has polled and another closes is let go of: the other side sees the end, for which it waits for long. */
static int closed_elsewhere(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++) {
        int pair[2];
        check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        struct end end = {.theirs = pair[1]};
        check_int(filch_fd_adopt(&end.ours, pair[0], NULL), 0);
        filch_task *reader, *other;
        check_int(filch_spawn(&reader, read_our_end, &end, NULL), 0);
        filch_yield();
        check_int(filch_spawn(&other, closer, &end, NULL), 0);
        char byte;
        check_int(filch_poll(end.theirs, FILCH_READABLE, FILCH_NEVER), FILCH_READABLE);
        check_int(read(end.theirs, &byte, 1), 0);
        check_int(awaited(reader), -EBADF);
        check_int(awaited(other), 0);
        check_int(close(end.theirs), 0);
    }
    return 0;
}

TEST(uring, closing_is_seen_by_the_other_side_whoever_has_polled) {
    check_int(filch_run(closed_elsewhere, NULL, &(filch_options){.workers = 4, .poller = FILCH_POLLER_IO_URING}), 0);
    check_int(filch_run(closed_elsewhere, NULL, &(filch_options){.workers = 4, .poller = FILCH_POLLER_EPOLL}), 0);
}

/* ----------------------------------------------------------------------------------------------------------- refusals */

/* /dev/null cannot be watched, or with a ring is always ready: who would wait for it does not wait for ever. */
static int unwatchable(void *arg) {
    (void)arg;
    filch_fd fd;
    check_int(filch_fd_adopt(&fd, open("/dev/null", O_RDWR | O_CLOEXEC), NULL), 0);
    struct filch__record *record;
    check_int(filch__record_enter(fd, &record), 0);
    for (int i = 0; i < 20; i++) {
        enum filch__direction direction = i % 2 == 0 ? TO_READ : TO_WRITE;
        (void)filch__record_clear(record, direction, filch__record_ready(record, direction));
        int answer = filch__record_wait(record, direction, FILCH_NEVER);
        check(answer == 0 || answer == -EPERM);
    }
    filch__record_leave(record);
    check_int(filch_fd_close(fd), 0);
    return 0;
}

TEST(uring, who_waits_for_what_cannot_be_watched_does_not_wait_for_ever) {
    check_int(filch_run(unwatchable, NULL, ALONE(FILCH_POLLER_IO_URING)), 0);
    check_int(filch_run(unwatchable, NULL, &(filch_options){.workers = 2, .poller = FILCH_POLLER_IO_URING}), 0);
    check_int(filch_run(unwatchable, NULL, ALONE(FILCH_POLLER_EPOLL)), 0);
}
