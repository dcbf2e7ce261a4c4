/* SPDX-License-Identifier: MIT */
/*
 * Proves how waits at descriptors end: with readiness, at deadlines, by cancellation, by closing, and with the runtime;
 * that nothing that is told of an earlier opening reaches the next with its number; and that tasks, threads, several
 * runtimes and poll(2)'s likeness may wait at one at once.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>

#include "context/context.h"
#include "io/backend.h"
#include "sched/runtime.h"
#include "tests/io/fds.h"

/* -------------------------------------------------------------------------------------------------------- deadlines */

static int pass_deadlines(void *arg) {
    (void)arg;
    filch_fd ends[2];
    char byte;
    make_pair(ends);
    const filch_deadline passed[] = {{0}, {INT64_MIN}, {filch_now()}};
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        check_int(filch_fd_read(ends[0], &byte, 1, passed[i]), -ETIMEDOUT);
        check_int(filch_fd_wait(ends[0], FILCH_READABLE, passed[i]), -ETIMEDOUT);
        check_int(filch_fd_wait(ends[0], FILCH_WRITABLE, passed[i]), FILCH_WRITABLE);
        check_int(filch_poll(filch_fd_number(ends[0]), FILCH_READABLE, passed[i]), -ETIMEDOUT);
    }
    for (int i = 0; i < 5; i++) {
        filch_deadline soon = filch_after(FILCH_US(300));
        check_int(filch_fd_read(ends[0], &byte, 1, soon), -ETIMEDOUT);
        check(filch_now() >= soon.at_ns);
        soon = filch_after(FILCH_US(300));
        check_int(filch_fd_wait(ends[0], FILCH_READABLE, soon), -ETIMEDOUT);
        check(filch_now() >= soon.at_ns);
        soon = filch_after(FILCH_US(300));
        check_int(filch_poll(filch_fd_number(ends[0]), FILCH_READABLE, soon), -ETIMEDOUT);
        check(filch_now() >= soon.at_ns);
    }
    size_t moved = 9;
    check_int(filch_fd_write(ends[1], "ab", 2, PASSED), 2);
    check_int(filch_fd_read_exactly(ends[0], (char[3]){0}, 3, &moved, filch_after(1)), -ETIMEDOUT);
    check_int(moved, 2);
    close_both(ends);
    return 0;
}

TEST(fd_wait, a_deadline_ends_a_wait_and_not_before) {
    run_with_all(pass_deadlines, NULL);
}

/* No event has been fetched between the write and the read. */
static int write_and_read_at_once(void *arg) {
    (void)arg;
    make_tcp((filch_fd[2]){0}); /* another, that nobody closes */
    for (int i = 0; i < 3; i++) {
        filch_fd ends[2];
        char got[8];
        i == 0 ? make_pair(ends) : i == 1 ? make_pipe(ends) : make_tcp(ends);
        have_watched(ends[0]);
        for (int round = 0; round < 100; round++) {
            check_int(filch_fd_write(ends[1], "x", 1, PASSED), 1);
            check_int(filch_fd_read(ends[0], got, sizeof got, PASSED), 1);
            check_int(filch_fd_read(ends[0], got, sizeof got, PASSED), -ETIMEDOUT);
        }
        close_both(ends);
    }
    return 0;
}

TEST(fd_wait, what_is_there_is_had_even_when_the_deadline_has_passed) {
    run_with_all(write_and_read_at_once, NULL);
}

/* ----------------------------------------------------------------------------------------------- cancellation, close */

struct reader {
    filch_fd fd;
    ssize_t answer;
    char got[16];
};

static int read_one(void *arg) {
    struct reader *reader = arg;
    reader->answer = filch_fd_read(reader->fd, reader->got, 1, FILCH_NEVER);
    return 0;
}

static int write_one(void *arg) {
    struct reader *writer = arg;
    writer->answer = filch_fd_write(writer->fd, "x", 1, FILCH_NEVER);
    return 0;
}

static int wait_for_both(void *arg) {
    struct reader *reader = arg;
    reader->answer = filch_fd_wait(reader->fd, FILCH_READABLE | FILCH_WRITABLE, FILCH_NEVER);
    return 0;
}

static int poll_number(void *arg) {
    struct reader *reader = arg;
    reader->answer = filch_poll(filch_fd_number(reader->fd), FILCH_READABLE, FILCH_NEVER);
    return 0;
}

enum { CROWD = 24 };

static filch_fn *const crowd[] = {read_one, write_one, wait_for_both};

/* Many of each kind wait at an end that is full and empty. */
static void start_crowd(filch_scope *scope, struct reader *all, filch_fd fd) {
    for (int i = 0; i < CROWD; i++) {
        all[i] = (struct reader){.fd = fd, .answer = 99};
        check_int(filch_scope_spawn(scope, NULL, crowd[i % 3], &all[i], NULL), 0);
    }
    until_waiting("read", CROWD / 3);
    until_waiting("write", CROWD / 3);
    until_waiting("readiness", CROWD / 3);
}

static int end_crowd(void *arg) {
    bool closes = arg != NULL;
    filch_fd ends[2];
    struct reader all[CROWD];
    filch_scope scope;
    make_pair(ends);
    fill(ends[0]);
    check_int(filch_scope_open(&scope, NULL), 0);
    start_crowd(&scope, all, ends[0]);
    if (closes) {
        int number = filch_fd_number(ends[0]);
        check_int(filch_fd_close(ends[0]), 0);
        check_int(filch_fd_close(ends[0]), -EBADF);
        check_int(filch_scope_close(&scope), 0);
        check_int(fcntl(number, F_GETFD), -1);
    } else {
        filch_scope_cancel(&scope);
        (void)filch_scope_close(&scope);
        check_int(filch_fd_number(ends[0]) >= 0, 1);
    }
    for (int i = 0; i < CROWD; i++) check_int(all[i].answer, closes ? -EBADF : -ECANCELED);
    if (!closes) check_int(filch_fd_close(ends[0]), 0);
    check_int(filch_fd_close(ends[1]), 0);
    return 0;
}

TEST(fd_wait, closing_wakes_all_who_wait_there) {
    run_with_all(end_crowd, (void *)1);
}

TEST(fd_wait, cancelling_wakes_all_who_wait_there_and_leaves_it_open) {
    run_with_all(end_crowd, NULL);
}

static int cancelled_from_the_start(void *arg) {
    filch_fd *ends = arg;
    char byte;
    filch_task_cancel(filch_self());
    check_int(filch_fd_read(ends[0], &byte, 1, FILCH_NEVER), -ECANCELED);
    check_int(filch_fd_write(ends[0], &byte, 1, FILCH_NEVER), -ECANCELED);
    check_int(filch_fd_recv(ends[0], &byte, 1, MSG_OOB, FILCH_NEVER), -ECANCELED);
    check_int(filch_fd_wait(ends[0], FILCH_WRITABLE, FILCH_NEVER), -ECANCELED);
    check_int(filch_poll(filch_fd_number(ends[0]), FILCH_WRITABLE, FILCH_NEVER), -ECANCELED);
    check_int(filch_fd_splice(ends[0], ends[1], 1, FILCH_NEVER), -ECANCELED);
    filch_shield shield;
    filch_shield_begin(&shield);
    check_int(filch_fd_write(ends[0], "x", 1, FILCH_NEVER), 1);
    filch_shield_end(&shield);
    return 0;
}

static int be_cancelled(void *arg) {
    (void)arg;
    filch_fd ends[2];
    make_pair(ends);
    check_int(result_of(start(cancelled_from_the_start, ends)), 0);
    char byte = 0;
    check_int(filch_fd_read(ends[1], &byte, 1, FILCH_NEVER), 1); /* what was written behind the shield, and no more */
    check_int(filch_fd_read(ends[1], &byte, 1, PASSED), -ETIMEDOUT);
    check_int(byte, 'x');
    close_both(ends);
    return 0;
}

TEST(fd_wait, who_is_cancelled_moves_nothing) {
    run_with_all(be_cancelled, NULL);
}

/* One at a time is cancelled while a byte comes: it is read by one of them, once, whoever that is. */
static int cancel_against_event(void *arg) {
    (void)arg;
    filch_fd ends[2];
    make_pair(ends);
    for (int round = 0; round < 300 / TEST_SCALE; round++) {
        struct reader readers[3];
        filch_task *tasks[3];
        for (int i = 0; i < 3; i++) {
            readers[i] = (struct reader){.fd = ends[0]};
            tasks[i] = start(read_one, &readers[i]);
        }
        if (round % 2 == 0) until_waiting("read", 3);
        if (round % 3 == 0) filch_task_cancel(tasks[round % 3]);
        check_int(filch_fd_write(ends[1], "x", 1, FILCH_NEVER), 1);
        if (round % 3 != 0) filch_task_cancel(tasks[round % 2]);
        int got = 0;
        while (got == 0) {
            for (int i = 0; i < 3; i++) got += filch_task_done(tasks[i]) && readers[i].answer == 1;
            filch_yield();
        }
        for (int i = 0; i < 3; i++) filch_task_cancel(tasks[i]);
        for (int i = 0; i < 3; i++) {
            (void)result_of(tasks[i]); /* one that never began says so */
            check(readers[i].answer == 1 || readers[i].answer == -ECANCELED || readers[i].answer == 0);
        }
        got = 0;
        for (int i = 0; i < 3; i++) got += readers[i].answer == 1;
        check_int(got, 1);
    }
    close_both(ends);
    return 0;
}

TEST(fd_wait, an_event_that_finds_the_first_cancelled_goes_to_the_next) {
    run_with_all(cancel_against_event, NULL);
}

/* ------------------------------------------------------------------------------------------------------- runtime ends */

static int wait_until_the_end(void *arg) {
    filch_fd *ends = arg;
    char byte;
    ssize_t answer = filch_fd_read(ends[0], &byte, 1, FILCH_NEVER);
    return answer == -ECANCELED ? 0 : 1;
}

TEST(fd_wait, a_runtime_that_is_cancelled_ends_with_those_who_wait_at_descriptors) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        int before = numbers_open();
        filch_runtime *runtime;
        filch_fd ends[2];
        filch_task *tasks[50];
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = test_workers[i]}), 0);
        check_int(filch_pipe_open(&ends[0], &ends[1], &(filch_fd_options){.runtime = runtime}), 0);
        for (int k = 0; k < 50; k++) {
            check_int(filch_runtime_spawn(runtime, &tasks[k], wait_until_the_end, ends, NULL), 0);
        }
        check_int(filch_runtime_shutdown(runtime, filch_after(FILCH_MS(1))), -ETIMEDOUT);
        filch_runtime_cancel(runtime);
        check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
        for (int k = 0; k < 50; k++) {
            int result = -1;
            check_int(filch_await(tasks[k], &result, FILCH_NEVER), 0);
            check(result == 0 || result == -ECANCELED);
        }
        check_int(filch_runtime_destroy(runtime), 0);
        check_int(numbers_open(), before);
    }
}

/* ------------------------------------------------------------------------------------------------ number and record again */

static int use_stale(void *arg) {
    (void)arg;
    filch_fd old[2], fresh[2];
    char got[8];
    make_pair(old);
    have_watched(old[0]);
    int number = filch_fd_number(old[0]);
    close_both(old);
    make_pair(fresh);
    bool same = false;
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++) same |= fresh[i].filch__record == old[k].filch__record;
    }
    check(same); /* else this shows nothing */
    check(filch_fd_number(fresh[0]) == number || filch_fd_number(fresh[1]) == number);
    check_int(filch_fd_write(fresh[1], "new", 3, FILCH_NEVER), 3);
    check_int(filch_fd_write(fresh[0], "new", 3, FILCH_NEVER), 3);
    for (int i = 0; i < 2; i++) {
        check_int(filch_fd_read(old[i], got, sizeof got, FILCH_NEVER), -EBADF);
        check_int(filch_fd_write(old[i], "old", 3, FILCH_NEVER), -EBADF);
        check_int(filch_fd_number(old[i]), -EBADF);
        check_int(filch_fd_release(old[i]), -EBADF);
        check_int(filch_fd_close(old[i]), -EBADF);
    }
    for (int i = 0; i < 2; i++) {
        check_int(filch_fd_read(fresh[i], got, sizeof got, FILCH_NEVER), 3);
        check(memcmp(got, "new", 3) == 0);
    }
    close_both(fresh);
    return 0;
}

TEST(fd_wait, a_handle_is_none_of_what_has_its_number_and_its_record_later) {
    run_with_all(use_stale, NULL);
}

/* As the batch of a thread that fetched it and lost its processor before it delivered it. */
static void deliver_late(struct filch__io *io, uint64_t data) {
    struct filch__poll_event event = {.data = data, .events = 0x2019, .result = 1}; /* all that epoll can tell */
    io->backend->deliver(io, &event, 1);
}

static int deliver_stale(void *arg) {
    (void)arg;
    int numbers[2];
    make_numbers(numbers);
    filch_fd fd = adopt(numbers[0]);
    struct filch__record *record = fd.filch__record;
    struct filch__io *io = record->io;
    uint64_t data = filch__event_data(record, load_acquire(&record->state));
    have_watched(fd);
    uint32_t before = load_relaxed(&record->ready[TO_READ]);
    deliver_late(io, data);
    check(load_relaxed(&record->ready[TO_READ]) != before); /* that one is of it */
    check_int(filch_fd_release(fd), numbers[0]);
    uint32_t free = load_relaxed(&record->ready[TO_READ]);
    deliver_late(io, data);
    check_int(load_relaxed(&record->ready[TO_READ]), free); /* nobody's */
    fd = adopt(numbers[0]);
    check(fd.filch__record == record);
    have_watched(fd);
    before = load_relaxed(&record->ready[TO_READ]);
    deliver_late(io, data);
    check_int(load_relaxed(&record->ready[TO_READ]), before); /* another's */
    check_int(filch_fd_close(fd), 0);
    close(numbers[1]);
    return 0;
}

TEST(fd_wait, an_event_of_an_earlier_opening_reaches_nobody) {
    run_with_all(deliver_stale, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- release */

static int release_it(void *arg) {
    (void)arg;
    filch_fd ends[2];
    make_pair(ends);
    struct reader reader = {.fd = ends[0]};
    filch_task *task = start(read_one, &reader);
    until_waiting("read", 1);
    check_int(filch_fd_release(ends[0]), -EBUSY);
    check_int(filch_fd_write(ends[1], "x", 1, FILCH_NEVER), 1);
    check_int(result_of(task), 0);
    int number = filch_fd_number(ends[0]);
    check_int(filch_fd_release(ends[0]), number);
    check_int(filch_fd_release(ends[0]), -EBADF);
    check_int(filch_fd_close(ends[0]), -EBADF);
    char byte;
    check_int(read(number, &byte, 1), -1); /* open, and non-blocking */
    check_int(errno, EAGAIN);
    filch_fd again = adopt(number);
    check_int(filch_fd_write(ends[1], "y", 1, FILCH_NEVER), 1);
    check_int(filch_fd_read(again, &byte, 1, FILCH_NEVER), 1);
    check_int(byte, 'y');
    reader = (struct reader){.fd = again};
    task = start(read_one, &reader);
    until_waiting("read", 1); /* it is watched anew */
    check_int(filch_fd_write(ends[1], "z", 1, FILCH_NEVER), 1);
    check_int(result_of(task), 0);
    check_int(reader.got[0], 'z');
    check_int(filch_fd_close(again), 0);
    check_int(filch_fd_close(ends[1]), 0);
    return 0;
}

TEST(fd_wait, a_released_number_is_the_callers_and_may_be_adopted_again) {
    run_with_all(release_it, NULL);
}

/* ------------------------------------------------------------------------------------------------- both directions */

static int wait_both_ways(void *arg) {
    (void)arg;
    filch_fd ends[2];
    const unsigned both = FILCH_READABLE | FILCH_WRITABLE;
    make_pair(ends);
    check_int(filch_fd_wait(ends[0], both, FILCH_NEVER), FILCH_WRITABLE);
    check_int(filch_fd_write(ends[1], "x", 1, FILCH_NEVER), 1);
    check_int(filch_fd_wait(ends[0], both, FILCH_NEVER), (int)both);
    drain(ends[0], 1);
    size_t filled = fill(ends[0]);
    check_int(filch_fd_wait(ends[0], both, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    struct reader reader = {.fd = ends[0]};
    filch_task *task = start(wait_for_both, &reader);
    until_waiting("readiness", 1);
    check_int(filch_fd_write(ends[1], "x", 1, FILCH_NEVER), 1);
    check_int(result_of(task), 0);
    check_int(reader.answer, FILCH_READABLE);
    drain(ends[0], 1);
    task = start(wait_for_both, &reader);
    until_waiting("readiness", 1);
    drain(ends[1], filled);
    check_int(result_of(task), 0);
    check_int(reader.answer, FILCH_WRITABLE);
    check_int(filch_fd_close(ends[1]), 0);
    check_int(filch_fd_wait(ends[0], both, FILCH_NEVER), (int)both); /* the end is something that both are told of */
    check_int(filch_fd_close(ends[0]), 0);
    return 0;
}

TEST(fd_wait, who_waits_for_either_direction_is_told_which_has_come) {
    run_with_all(wait_both_ways, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- poll */

static int poll_some(void *arg) {
    (void)arg;
    check_int(filch_poll(-1, FILCH_READABLE, FILCH_NEVER), -EBADF);
    check_int(filch_poll(1000000, FILCH_READABLE, FILCH_NEVER), -EBADF);
    for (int round = 0; round < 20; round++) { /* the same numbers each time, closed and given out anew in between */
        int numbers[2];
        check_int(pipe2(numbers, O_NONBLOCK | O_CLOEXEC), 0);
        check_int(filch_poll(numbers[0], FILCH_READABLE, filch_after(FILCH_US(100))), -ETIMEDOUT);
        check_int(filch_poll(numbers[1], FILCH_WRITABLE, FILCH_NEVER), FILCH_WRITABLE);
        check_int(write(numbers[1], "x", 1), 1);
        check_int(filch_poll(numbers[0], FILCH_READABLE, FILCH_NEVER), FILCH_READABLE);
        close(numbers[1]);
        check_int(filch_poll(numbers[0], FILCH_READABLE, FILCH_NEVER), FILCH_READABLE);
        close(numbers[0]);
    }
    return 0;
}

TEST(fd_wait, poll_keeps_nothing_between_two_calls) {
    run_with_all(poll_some, NULL);
}

struct poller {
    int number;
    int answer;
};

static int poll_here(void *arg) {
    struct poller *poller = arg;
    poller->answer = filch_poll(poller->number, FILCH_READABLE, FILCH_NEVER);
    return 0;
}

static int poll_at_once(void *arg) {
    (void)arg;
    enum { POLLERS = 10 };
    int before = numbers_open(), numbers[2];
    check_int(pipe2(numbers, O_NONBLOCK | O_CLOEXEC), 0);
    struct poller pollers[POLLERS];
    filch_task *tasks[POLLERS];
    for (int i = 0; i < POLLERS; i++) {
        pollers[i] = (struct poller){.number = numbers[0]};
        tasks[i] = start(poll_here, &pollers[i]);
    }
    until_waiting("read", POLLERS);
    filch_task_cancel(tasks[0]); /* the first is the one whose own number is watched */
    check_int(result_of(tasks[0]), 0);
    check_int(pollers[0].answer, -ECANCELED);
    check_int(write(numbers[1], "x", 1), 1);
    for (int i = 1; i < POLLERS; i++) {
        check_int(result_of(tasks[i]), 0);
        check_int(pollers[i].answer, FILCH_READABLE);
    }
    for (int i = 0; i < 2; i++) close(numbers[i]);
    check_int(numbers_open(), before);
    return 0;
}

TEST(fd_wait, any_number_of_tasks_may_poll_one_number) {
    filch_fd ends[2];
    filch_runtime *runtime; /* whose poller's own numbers are not counted */
    check_int(filch_runtime_create(&runtime, NULL), 0);
    check_int(filch_pipe_open(&ends[0], &ends[1], &(filch_fd_options){.runtime = runtime}), 0);
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *own;
        filch_task *task;
        int result = -1;
        check_int(filch_runtime_create(&own, &(filch_options){.workers = test_workers[i]}), 0);
        check_int(filch_pipe_open(&ends[0], &ends[1], &(filch_fd_options){.runtime = own}), 0);
        check_int(filch_runtime_spawn(own, &task, poll_at_once, NULL, NULL), 0);
        check_int(filch_await(task, &result, FILCH_NEVER), 0);
        check_int(result, 0);
        check_int(filch_runtime_destroy(own), 0);
    }
    check_int(filch_runtime_destroy(runtime), 0);
}

/* In either order: who reads it may be the second to have it watched. */
static int poll_what_is_the_librarys(void *arg) {
    (void)arg;
    for (int order = 0; order < 2; order++) {
        filch_fd ends[2];
        make_pair(ends);
        struct reader poller = {.fd = ends[0]}, reader = {.fd = ends[0]};
        filch_task *tasks[2];
        for (int i = 0; i < 2; i++) {
            tasks[i] = i == order ? start(poll_number, &poller) : start(read_one, &reader);
            until_waiting("read", 1 + i);
        }
        check_int(filch_fd_write(ends[1], "xy", 2, FILCH_NEVER), 2);
        for (int i = 0; i < 2; i++) check_int(result_of(tasks[i]), 0);
        check_int(reader.answer, 1);
        check_int(poller.answer, FILCH_READABLE);
        int number = filch_fd_number(ends[0]);
        check_int(filch_fd_close(ends[0]), 0);
        check_int(fcntl(number, F_GETFD), -1);
        check_int(filch_fd_close(ends[1]), 0);
    }
    return 0;
}

TEST(fd_wait, what_the_library_owns_may_be_polled_too) {
    run_with_all(poll_what_is_the_librarys, NULL);
}

/* Whoever reads is the second to have it watched, by a copy of the number; and then leaves it open. */
static int leave_what_is_polled_open(void *number) {
    filch_fd fd = adopt(((int *)number)[0]);
    struct reader poller = {.fd = fd}, reader = {.fd = fd};
    filch_task *first = start(poll_number, &poller);
    until_waiting("read", 1);
    filch_task *second = start(read_one, &reader);
    until_waiting("read", 2);
    check_int(write(((int *)number)[1], "xy", 2), 2);
    check_int(result_of(first), 0);
    check_int(result_of(second), 0);
    char byte;
    check_int(filch_fd_read(fd, &byte, 1, FILCH_NEVER), 1);
    return 0;
}

TEST(fd_wait, what_is_open_and_was_polled_too_is_closed_with_its_runtime) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        char byte;
        int numbers[2], before = numbers_open();
        make_numbers(numbers);
        run_with(test_workers[i], leave_what_is_polled_open, numbers);
        check_int(numbers_open(), before + 1);       /* the other end is closed, and so is its copy */
        check_int(recv(numbers[1], &byte, 1, 0), 0); /* with io_uring in a moment: the kernel has it by then */
        check_int(close(numbers[1]), 0);
    }
}

TEST(fd_wait, on_a_thread_that_is_no_worker_poll_is_poll) {
    int numbers[2];
    check_int(pipe2(numbers, O_NONBLOCK | O_CLOEXEC), 0);
    check_int(filch_poll(numbers[0], FILCH_READABLE, PASSED), -ETIMEDOUT);
    filch_deadline soon = filch_after(FILCH_MS(2));
    check_int(filch_poll(numbers[0], FILCH_READABLE, soon), -ETIMEDOUT);
    check(filch_now() >= soon.at_ns);
    check_int(filch_poll(numbers[1], FILCH_WRITABLE, FILCH_NEVER), FILCH_WRITABLE);
    close(numbers[1]);
    check_int(filch_poll(numbers[0], FILCH_READABLE, FILCH_NEVER), FILCH_READABLE);
    check_int(filch_poll(numbers[1], FILCH_READABLE, FILCH_NEVER), -EBADF);
    check_int(filch_poll(-1, FILCH_READABLE, PASSED), -EBADF); /* to poll(2) that is a place left free */
    check_int(filch_poll(numbers[0], 0, FILCH_NEVER), -EINVAL);
    close(numbers[0]);
}

/* ------------------------------------------------------------------------------------------------ threads, runtimes */

enum { PINGS = 500 };

struct side {
    filch_fd fd;
    bool begins;
};

/* A byte goes to and fro. */
static void ping(struct side *side) {
    unsigned char byte = 0;
    for (int i = 0; i < PINGS / TEST_SCALE; i++) {
        if (side->begins) check_int(filch_fd_write(side->fd, &byte, 1, FILCH_NEVER), 1);
        check_int(filch_fd_read(side->fd, &byte, 1, FILCH_NEVER), 1);
        check_int(byte, i & 0xff);
        byte = (unsigned char)(i + (side->begins ? 1 : 0));
        if (!side->begins) check_int(filch_fd_write(side->fd, &byte, 1, FILCH_NEVER), 1);
    }
}

static void *ping_thread(void *arg) {
    ping(arg);
    return NULL;
}

static int ping_task(void *arg) {
    ping(arg);
    return 0;
}

static void adopt_pair(struct side sides[2], filch_runtime *runtime) {
    int numbers[2];
    make_numbers(numbers);
    for (int i = 0; i < 2; i++) {
        sides[i].begins = i == 0;
        check_int(filch_fd_adopt(&sides[i].fd, numbers[i], &(filch_fd_options){.runtime = runtime}), 0);
    }
}

TEST(fd_wait, threads_and_tasks_talk_to_one_another) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *runtime;
        struct side threads[2], mixed[2];
        pthread_t handles[3];
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = test_workers[i]}), 0);
        adopt_pair(threads, runtime);
        adopt_pair(mixed, runtime);
        check_int(filch_runtime_spawn(runtime, NULL, ping_task, &mixed[0], NULL), 0);
        check_int(pthread_create(&handles[0], NULL, ping_thread, &mixed[1]), 0);
        for (int k = 0; k < 2; k++) check_int(pthread_create(&handles[1 + k], NULL, ping_thread, &threads[k]), 0);
        for (int k = 0; k < 3; k++) pthread_join(handles[k], NULL);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

TEST(fd_wait, tasks_of_one_runtime_wait_at_what_another_watches) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        filch_runtime *watching, *others[2];
        struct side sides[2];
        check_int(filch_runtime_create(&watching, &(filch_options){.workers = test_workers[i]}), 0);
        adopt_pair(sides, watching);
        for (int k = 0; k < 2; k++) {
            check_int(filch_runtime_create(&others[k], &(filch_options){.workers = 1 + (unsigned)k}), 0);
            check_int(filch_runtime_spawn(others[k], NULL, ping_task, &sides[k], NULL), 0);
        }
        for (int k = 0; k < 2; k++) check_int(filch_runtime_destroy(others[k]), 0);
        check_int(filch_runtime_destroy(watching), 0);
    }
}

/* ------------------------------------------------------------------------------------------------------------- fork */

/* ThreadSanitizer allows no threads in the child of a process with several, which has none here. */
TEST(fd_wait, what_the_child_of_a_fork_does_is_nothing_to_who_waits_in_the_parent) {
    filch_runtime *runtime;
    filch_fd ends[2], again;
    filch_task *task;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2}), 0);
    check_int(filch_pipe_open(&ends[0], &ends[1], &(filch_fd_options){.runtime = runtime}), 0);
    struct reader reader = {.fd = ends[0]};
    check_int(filch_runtime_spawn(runtime, &task, read_one, &reader, NULL), 0);
    struct filch__record *record = ends[0].filch__record;
    while (load_acquire(&record->watched) != WATCH_ON) usleep(100);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        int wrong = filch_fd_close(ends[0]) != -ESHUTDOWN;
        wrong |= (filch_fd_release(ends[1]) != -ESHUTDOWN) << 1;
        wrong |= (filch_fd_read(ends[0], &byte, 1, FILCH_NEVER) != -ESHUTDOWN) << 2;
        wrong |= (filch_fd_wait(ends[0], FILCH_READABLE, FILCH_NEVER) != -ESHUTDOWN) << 3;
        wrong |= (filch_fd_adopt(&again, 0, &(filch_fd_options){.runtime = runtime}) != -ESHUTDOWN) << 4;
        wrong |= (filch_pipe_open(&again, &again, &(filch_fd_options){.runtime = runtime}) != -ESHUTDOWN) << 5;
        wrong |= (filch_poll(filch_fd_number(ends[0]), FILCH_READABLE, PASSED) != -ETIMEDOUT) << 6;
        close(filch_fd_number(ends[0]));
        wrong |= (filch_fd_write(ends[1], "x", 1, FILCH_NEVER) != 1) << 7; /* does not wait: it is shared */
        _exit(wrong);
    }
    int status = -1;
    check(waitpid(child, &status, 0) == child);
    check_int(status, 0);
    check_int(filch_await(task, NULL, FILCH_NEVER), 0); /* it has read what the child wrote */
    check_int(reader.answer, 1);
    check_int(filch_fd_write(ends[1], "x", 1, FILCH_NEVER), 1);
    check_int(filch_runtime_destroy(runtime), 0);
}
