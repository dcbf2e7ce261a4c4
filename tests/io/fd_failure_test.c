/* SPDX-License-Identifier: MIT */
/*
 * Proves that where memory or a system call fails at any one place in the life of an echo, whoever asked is told, nobody
 * waits for ever, and nothing is left: no task, no memory, no open number.
 */
#include <stdatomic.h>
#include <sys/resource.h>

#include "alloc/alloc.h"
#include "io/system.h"
#include "tests/io/fds.h"

struct echo {
    filch_fd ends[2];
    atomic_int failed; /* calls that answered an error */
    bool hurried;      /* what an injected EAGAIN waits for may never come */
};

static filch_deadline until(const struct echo *echo) {
    return echo->hurried ? filch_after(FILCH_MS(2)) : FILCH_NEVER;
}

static int answer_all(void *arg) {
    struct echo *echo = arg;
    char block[64];
    ssize_t moved;
    while ((moved = filch_fd_read(echo->ends[1], block, sizeof block, until(echo))) > 0) {
        int error = filch_fd_write_all(echo->ends[1], block, (size_t)moved, NULL, until(echo));
        if (error == 0) continue;
        moved = error;
        break;
    }
    if (moved < 0) atomic_fetch_add(&echo->failed, 1);
    filch_fd_close(echo->ends[1]); /* the other side sees the end, whatever happened */
    return 0;
}

/* Some words go to and fro; by each way in turn. */
static int ask_all(struct echo *echo) {
    for (size_t size = 1; size <= 26; size += 5) {
        char got[64] = "";
        struct iovec part = {(void *)(uintptr_t)alphabet, size}, room = {got, size};
        int error = 0;
        if (size % 2 == 0) {
            ssize_t moved = filch_fd_writev(echo->ends[0], &part, 1, until(echo));
            error = moved < 0 ? (int)moved : 0;
            if (error == 0) moved = filch_fd_readv(echo->ends[0], &room, 1, until(echo));
            if (error == 0) error = moved > 0 ? 0 : moved == 0 ? -ENODATA : (int)moved;
            if (error != 0) return error;
            size_t left = size - (size_t)moved;
            if (left > 0) error = filch_fd_read_exactly(echo->ends[0], got + moved, left, NULL, until(echo));
        } else {
            error = filch_fd_write_all(echo->ends[0], alphabet, size, NULL, until(echo));
            if (error == 0) error = filch_fd_read_exactly(echo->ends[0], got, size, NULL, until(echo));
        }
        if (error != 0) return error;
        check(memcmp(got, alphabet, size) == 0);
    }
    return 0;
}

/* A pair of sockets is adopted, and a pipe opened and polled; whatever of that fails is given back. */
static int live(void *arg) {
    struct echo *echo = arg;
    int numbers[2], error = 0, result;
    make_numbers(numbers);
    int adopted = 0;
    while (adopted < 2 && error == 0) {
        error = filch_fd_adopt(&echo->ends[adopted], numbers[adopted], NULL);
        if (error == 0) adopted++;
    }
    for (int i = adopted; i < 2; i++) close(numbers[i]);
    filch_task *task = NULL;
    if (error == 0) error = filch_spawn(&task, answer_all, echo, NULL);
    if (error != 0) {
        for (int i = 0; i < adopted; i++) check_int(filch_fd_close(echo->ends[i]), 0);
        return error;
    }
    int polled = filch_poll(filch_fd_number(echo->ends[0]), FILCH_READABLE, filch_after(FILCH_US(10)));
    if (polled < 0 && polled != -ETIMEDOUT) atomic_fetch_add(&echo->failed, 1);
    filch_fd pipe[2];
    if (filch_pipe_open(&pipe[0], &pipe[1], NULL) == 0) {
        close_both(pipe);
    } else {
        atomic_fetch_add(&echo->failed, 1);
    }
    error = ask_all(echo);
    if (error != 0) atomic_fetch_add(&echo->failed, 1);
    check_int(filch_fd_close(echo->ends[0]), 0);
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- memory */

TEST(fd_failure, any_one_request_for_memory_may_fail_in_the_life_of_an_echo) {
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        int past_the_end = 0;
        for (uint64_t nth = 1; past_the_end < 5; nth++) {
            check(nth < 10000);
            size_t before = filch__heap_objects();
            int numbers = numbers_open();
            struct echo echo = {.failed = 0};
            filch__alloc_fail(nth, false);
            int answer = filch_run(live, &echo, &(filch_options){.workers = workers});
            bool failed = filch__alloc_requests() >= nth;
            filch__alloc_fail(0, false);
            check(answer == 0 || (answer == -ENOMEM && failed));
            check(echo.failed == 0 || failed);
            check_int(filch__heap_objects(), before);
            check_int(numbers_open(), numbers);
            if (!failed) past_the_end++;
        }
    }
}

/* ---------------------------------------------------------------------------------------------------- system calls */

static const int answers[] = {-EINTR, -EAGAIN, -ENOMEM, -ECONNRESET, -EMFILE, -EIO, 1, 2};
enum { ANSWERS = sizeof answers / sizeof answers[0] };

/* Whether the answer may be met by somebody else than who retries it. */
static bool is_harmless(int answer) {
    return answer == -EINTR || answer > 0;
}

static bool live_with(unsigned workers, uint64_t nth, bool all_after, int answer) {
    size_t before = filch__heap_objects();
    int numbers = numbers_open();
    struct echo echo = {.failed = 0, .hurried = answer == -EAGAIN};
    filch__system_fail(nth, all_after, answer);
    int result = filch_run(live, &echo, &(filch_options){.workers = workers});
    bool failed = filch__system_calls() >= nth;
    filch__system_fail(0, false, 0);
    check(result == 0 || (failed && !is_harmless(answer)));
    if (is_harmless(answer) || !failed) check(echo.failed == 0 || echo.hurried);
    check_int(filch__heap_objects(), before);
    check_int(numbers_open(), numbers);
    return failed;
}

TEST(fd_failure, any_one_system_call_may_fail_in_the_life_of_an_echo) {
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        for (int i = 0; i < ANSWERS; i++) {
            int past_the_end = 0;
            for (uint64_t nth = 1; past_the_end<5; nth += TEST_SCALE> 1 ? 3 : 1) {
                check(nth < 10000);
                if (!live_with(workers, nth, false, answers[i])) past_the_end++;
            }
        }
    }
}

/* From some call on all fail; EINTR for ever would be retried for ever. */
TEST(fd_failure, all_system_calls_from_any_one_on_may_fail_or_be_cut_short) {
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        for (int i = 0; i < ANSWERS; i++) {
            if (answers[i] == -EINTR) continue;
            for (uint64_t nth = 1; nth<40; nth += TEST_SCALE> 1 ? 3 : 1) live_with(workers, nth, true, answers[i]);
        }
    }
}

/* The poller itself: there is no number left for it, and then there is. */
static int adopt_without_numbers(void *arg) {
    (void)arg;
    int taken[1024], count = 0, last = -1;
    filch_fd fd = FILCH_FD_NONE;
    int numbers[2];
    make_numbers(numbers);
    while (count < 1024 && (last = dup(0)) >= 0) taken[count++] = last;
    check(count < 1024);
    for (int i = 0; i < 3; i++) check_int(filch_fd_adopt(&fd, numbers[0], NULL), -EMFILE);
    close(taken[--count]); /* one: epoll needs two, a ring does with it */
    int answer = filch_fd_adopt(&fd, numbers[0], NULL);
    if (answer != 0) {
        check_int(answer, -EMFILE);
        check_int(fcntl(taken[count], F_GETFD), -1); /* and it has kept none */
        close(taken[--count]);
        check_int(filch_fd_adopt(&fd, numbers[0], NULL), 0);
    }
    check_int(filch_pipe_open(&fd, &fd, NULL), -EMFILE);
    while (count > 0) close(taken[--count]);
    close(numbers[1]);
    return 0;
}

TEST(fd_failure, without_numbers_for_the_poller_nothing_is_adopted_until_there_are_some) {
    struct rlimit limit;
    check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 200;
    check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
    check_int(setenv("FILCH_POLLER", "epoll", 1), 0); /* io_uring needs one */
    run_unwatched(1, adopt_without_numbers, NULL);
    run_unwatched(4, adopt_without_numbers, NULL);
}
