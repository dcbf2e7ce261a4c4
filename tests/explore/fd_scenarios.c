/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and the poller: the real workers, records and calls, over a kernel of a few lines (kernel.h). Events race
 * waits, deadlines, cancellations, closing, and the number's and the record's next use; workers race one another, and who
 * wakes them, to the poller. Verdict: every byte is read once or is still there, nobody waits for what is there, and no
 * number is used when it is not its user's.
 */
#include <errno.h>
#include <filch/fd.h>
#include <filch/filch.h>
#include <string.h>

#include "sched/runtime.h"
#include "tests/explore/explore.h"
#include "tests/explore/kernel.h"

static filch_runtime *runtime;
static filch_fd fd, other;
static ATOMIC(uint32_t) done, read_in_all, told;

static void begin(unsigned workers) {
    kernel_reset();
    done = read_in_all = told = 0;
    int answer = filch_runtime_create(&runtime, &(filch_options){.workers = workers, .seed = 1 + explore_choose(1000)});
    explore_check(answer == 0);
}

static void end(void) {
    explore_check(filch_runtime_destroy(runtime) == 0);
}

static filch_fd adopt(int number) {
    filch_fd adopted;
    explore_check(filch_fd_adopt(&adopted, number, &(filch_fd_options){.runtime = runtime}) == 0);
    return adopted;
}

static filch_task *start(filch_fn *fn, void *arg) {
    filch_task *task;
    explore_check(filch_runtime_spawn(runtime, &task, fn, arg, NULL) == 0);
    return task;
}

static int result_of(filch_task *task) {
    int result = 4711;
    explore_check(filch_await(task, &result, FILCH_NEVER) == 0);
    return result;
}

static void put_one(void *number) {
    kernel_put((int)(intptr_t)number);
}

static void put_two(void *number) {
    put_one(number);
    put_one(number);
}

static ssize_t read_with(filch_deadline deadline) {
    char bytes[4];
    ssize_t moved = filch_fd_read(fd, bytes, 1, deadline);
    if (moved > 0) add_seq_cst(&read_in_all, (uint32_t)moved);
    add_seq_cst(&done, 1);
    return moved;
}

static int read_one(void *arg) {
    (void)arg;
    return (int)read_with(FILCH_NEVER);
}

static int read_soon(void *arg) {
    (void)arg;
    return (int)read_with(filch_after(1 + (int64_t)explore_choose(40000)));
}

static void read_in_thread(void *arg) {
    ssize_t moved = read_with(FILCH_NEVER);
    if (arg != NULL) *(ssize_t *)arg = moved;
}

static int sleep_shortly(void *arg) {
    (void)arg;
    return filch_sleep(1 + (int64_t)explore_choose(40000));
}

/* ------------------------------------------------------------------------------------------------------- who polls */

SCENARIO(fd_event, "a task reads while a byte comes: somebody polls when all workers sleep") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *task = start(read_one, NULL);
    unsigned writer = explore_start(put_one, (void *)(intptr_t)number);
    explore_check(result_of(task) == 1);
    explore_join(writer);
    end();
}

SCENARIO(fd_install, "the poller comes when all workers sleep, and only threads that are no workers wait") {
    begin(1 + explore_choose(2));
    if (explore_choose(2) == 0) (void)result_of(start(sleep_shortly, NULL));
    int number = kernel_open(0);
    fd = adopt(number);
    unsigned writer = explore_start(put_one, (void *)(intptr_t)number);
    explore_check(read_with(FILCH_NEVER) == 1);
    explore_join(writer);
    end();
}

static int count_one(void *arg) {
    (void)arg;
    add_seq_cst(&done, 1);
    return 0;
}

SCENARIO(fd_rouse, "tasks come from outside while the workers go to sleep in the poller") {
    begin(1 + explore_choose(2));
    fd = adopt(kernel_open(0));
    for (int i = 0; i < 3; i++) explore_check(result_of(start(count_one, NULL)) == 0);
    end();
    explore_check(done == 3);
}

/* As the monitor does. */
static void look(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) filch__poller_look(load_acquire(&runtime->poller));
}

SCENARIO(fd_look, "somebody who is no worker looks at the poller while the last goes to sleep there") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *task = start(read_one, NULL);
    unsigned looker = explore_start(look, NULL), writer = explore_start(put_one, (void *)(intptr_t)number);
    explore_check(result_of(task) == 1);
    explore_join(looker);
    explore_join(writer);
    end();
}

SCENARIO(fd_timers, "a worker sleeps in the poller for a timer, and for a byte that comes meanwhile") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *tasks[2] = {start(read_one, NULL), start(sleep_shortly, NULL)};
    unsigned writer = explore_start(put_one, (void *)(intptr_t)number);
    explore_check(result_of(tasks[0]) == 1);
    explore_check(result_of(tasks[1]) == 0);
    explore_join(writer);
    end();
}

/* ---------------------------------------------------------------------------------------------------------- spares */

/* A runtime with one worker, which is not alone any more, as the monitor has it before a spare comes. */
static void begin_plural(void) {
    begin(1);
    explore_check(filch__runqueue_share(&runtime->workers[0].runqueue));
    store_seq_cst(&runtime->workers[0].alone, false);
}

/* As the monitor does: a spare is made, works, and is retired and called back. */
static void hire_and_retire(void *arg) {
    explore_check(filch__runtime_add_spare(runtime));
    struct filch__worker *spare = filch__runtime_worker(runtime, 1);
    for (unsigned i = 1 + explore_choose(3); i > 0; i--) {
        filch__idle_unretire(runtime);
        bool until_asleep = arg != NULL || explore_choose(2) == 0;
        for (unsigned idle = until_asleep ? 100 : explore_choose(16); idle > 0; idle--) {
            if (until_asleep && load_seq_cst(&spare->rests) == RESTS_ASLEEP) break; /* it lies down just now */
            spin_pause();
        }
        filch__idle_retire(runtime, 1);
    }
}

SCENARIO(spare_polls, "a spare is retired on its way to the poller, in it, or with an event in its hands") {
    begin_plural();
    int number = kernel_open(0);
    fd = adopt(number);
    unsigned monitor = explore_start(hire_and_retire, NULL);
    filch_task *task = start(read_one, NULL);
    unsigned writer = explore_start(put_one, (void *)(intptr_t)number);
    explore_check(result_of(task) == 1);
    explore_join(monitor);
    explore_join(writer);
    end();
}

SCENARIO(spare_work, "a spare is retired when a task comes from outside that it was relied on to find") {
    begin_plural();
    unsigned monitor = explore_start(hire_and_retire, (void *)1);
    explore_check(result_of(start(count_one, NULL)) == 0);
    explore_join(monitor);
    end();
    explore_check(done == 1);
}

static int wait_until_told(void *arg) {
    (void)arg;
    add_seq_cst(&done, 1);
    while (load_seq_cst(&told) == 0) spin_pause();
    return 0;
}

/* Both workers are held up by such tasks: so the spare has the third. */
SCENARIO(spare_end, "a spare is dismissed while it works, and sees that when the runtime ends") {
    begin(2);
    explore_check(filch__runtime_add_spare(runtime));
    explore_check(filch__idle_unretire(runtime));
    filch_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = start(wait_until_told, NULL);
    while (load_seq_cst(&done) < 2) spin_pause();
    filch__idle_retire(runtime, 1);
    store_seq_cst(&told, 1);
    for (int i = 0; i < 3; i++) explore_check(result_of(tasks[i]) == 0);
    end();
}

/* ---------------------------------------------------------------------------------------------------------- records */

SCENARIO(fd_deadline, "a byte comes when the deadline of a read passes: it is read, or is still there") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *task = start(read_soon, NULL);
    unsigned writer = explore_start(put_one, (void *)(intptr_t)number);
    int moved = result_of(task);
    explore_join(writer);
    explore_check(moved == 1 || moved == -ETIMEDOUT);
    explore_check(kernel_bytes(number) == (moved == 1 ? 0 : 1));
    explore_check(moved == 1 || read_with(FILCH_NEVER) == 1);
    end();
}

SCENARIO(fd_baton, "two bytes come in one event, and two wait for one each") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *tasks[2] = {start(read_one, NULL), start(read_one, NULL)};
    unsigned writer = explore_start(put_two, (void *)(intptr_t)number);
    for (int i = 0; i < 2; i++) explore_check(result_of(tasks[i]) == 1);
    explore_join(writer);
    end();
    explore_check(read_in_all == 2);
}

static int read_three(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) explore_check(read_with(FILCH_NEVER) == 1);
    return 0;
}

SCENARIO(fd_again,
         "a task reads three bytes that come one after the other, the later ones where it is watched by then") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *task = start(read_three, NULL);
    unsigned writer = explore_start(put_two, (void *)(intptr_t)number);
    kernel_put(number);
    explore_check(result_of(task) == 0);
    explore_join(writer);
    end();
}

static void cancel(void *task) {
    filch_task_cancel(task);
}

SCENARIO(fd_cancel,
         "of two who wait one is cancelled when the only byte comes: the other has it, or it had it before") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *first = start(read_one, NULL);
    ssize_t in_thread = 0;
    unsigned reader = explore_start(read_in_thread, &in_thread);
    unsigned canceller = explore_start(cancel, first);
    kernel_put(number);
    explore_join(canceller);
    int moved = result_of(first);
    explore_check(moved == 1 || moved == -ECANCELED);
    if (moved == 1) kernel_put(number);
    explore_join(reader);
    explore_check(in_thread == 1);
    end();
}

static void close_it(void *arg) {
    (void)arg;
    int answer = filch_fd_close(fd);
    explore_check(answer == 0 || answer == -EBADF);
    if (answer == 0) add_seq_cst(&told, 1);
}

SCENARIO(fd_close, "a descriptor is closed twice while two read and a byte comes: one of them closes it, once") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    ssize_t in_thread = 0;
    filch_task *task = start(read_one, NULL);
    unsigned threads[] = {explore_start(read_in_thread, &in_thread), explore_start(close_it, NULL)};
    if (explore_choose(2) == 0) kernel_put(number);
    close_it(NULL);
    int moved = result_of(task);
    for (int i = 0; i < 2; i++) explore_join(threads[i]);
    explore_check(moved == 1 || moved == -EBADF);
    explore_check(in_thread == 1 || in_thread == -EBADF);
    explore_check(told == 1 && kernel_closes() == 1 && !kernel_is_open(number));
    end();
}

static void use_stale(void *handle) {
    char bytes[4];
    filch_fd stale = *(filch_fd *)handle;
    for (int i = 0; i < 2; i++) {
        bool gone = load_seq_cst(&told) == 1;
        ssize_t moved = filch_fd_read(stale, bytes, 1, (filch_deadline){0});
        explore_check(moved == -EBADF || (moved == -ETIMEDOUT && !gone));
        (void)filch_fd_close(stale);
    }
}

SCENARIO(fd_reuse, "who has the handle of what was closed uses it when its number and its record are another's") {
    begin(1);
    int number = kernel_open(0);
    filch_fd old = adopt(number);
    unsigned stale = explore_start(use_stale, &old), again = explore_start(use_stale, &old);
    (void)filch_fd_close(old);
    while (kernel_is_open(number)) spin_pause();
    store_seq_cst(&told, 1);
    explore_check(kernel_open(0) == number);
    fd = adopt(number);
    kernel_put(number);
    explore_check(read_with(FILCH_NEVER) == 1);
    explore_join(stale);
    explore_join(again);
    explore_check(filch_fd_number(fd) == number && kernel_is_open(number));
    explore_check(filch_fd_close(fd) == 0);
    explore_check(!kernel_is_open(number));
    explore_check(kernel_closes() == 2);
    end();
}

static int read_and_tell(void *arg) {
    ssize_t moved = read_with(FILCH_NEVER);
    (void)arg;
    return (int)moved;
}

SCENARIO(fd_watch_fails, "the first who has it watched fails, and a second relies on the first") {
    begin(2);
    int number = kernel_open(0);
    fd = adopt(number);
    kernel_fail_watch(1, -ENOMEM);
    filch_task *tasks[2] = {start(read_and_tell, NULL), start(read_and_tell, NULL)};
    unsigned writer = explore_start(put_two, (void *)(intptr_t)number);
    for (int i = 0; i < 2; i++) {
        int moved = result_of(tasks[i]);
        explore_check(moved == 1 || moved == -ENOMEM);
    }
    explore_join(writer);
    end();
}

static int write_three(void *arg) {
    (void)arg;
    size_t moved;
    explore_check(filch_fd_write_all(fd, "abc", 3, &moved, FILCH_NEVER) == 0);
    explore_check(moved == 3);
    return 0;
}

static void take_all(void *number) {
    for (int i = 0; i < 2; i++) {
        while (kernel_written((int)(intptr_t)number) == 0) spin_pause();
        kernel_take((int)(intptr_t)number);
    }
}

SCENARIO(fd_write, "a task writes more than there is room for, while another makes room and bytes come in") {
    begin(1 + explore_choose(2));
    int number = kernel_open(1);
    fd = adopt(number);
    filch_task *task = start(write_three, NULL);
    unsigned taker = explore_start(take_all, (void *)(intptr_t)number);
    unsigned writer = explore_start(put_two, (void *)(intptr_t)number);
    explore_check(result_of(task) == 0);
    explore_join(taker);
    explore_join(writer);
    end();
}

static int wait_for_either(void *arg) {
    (void)arg;
    return filch_fd_wait(fd, FILCH_READABLE | FILCH_WRITABLE, FILCH_NEVER);
}

SCENARIO(fd_both, "one waits for either direction, and one to read, when there is something of both") {
    begin(1 + explore_choose(2));
    int number = kernel_open(1);
    fd = adopt(number);
    explore_check(filch_fd_write(fd, "a", 1, FILCH_NEVER) == 1);
    filch_task *tasks[2] = {start(wait_for_either, NULL), start(read_one, NULL)};
    unsigned writer = explore_start(put_one, (void *)(intptr_t)number);
    if (explore_choose(2) == 0) kernel_take(number);
    explore_check(result_of(tasks[1]) == 1);
    if (explore_choose(2) == 0) kernel_put(number);
    kernel_take(number);
    explore_check(result_of(tasks[0]) > 0);
    explore_join(writer);
    end();
}

static int move_two(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) explore_check(filch_fd_splice(fd, other, 1, FILCH_NEVER) == 1);
    return 0;
}

SCENARIO(fd_splice, "bytes are moved from one to another, either of which may be the one that has to wait") {
    begin(1 + explore_choose(2));
    int from = kernel_open(0), to = kernel_open(1);
    fd = adopt(from);
    other = adopt(to);
    filch_task *task = start(move_two, NULL);
    unsigned writer = explore_start(put_two, (void *)(intptr_t)from);
    unsigned taker = explore_start(take_all, (void *)(intptr_t)to);
    explore_check(result_of(task) == 0);
    explore_join(writer);
    explore_join(taker);
    end();
}

static void release_it(void *arg) {
    (void)arg;
    int answer;
    while ((answer = filch_fd_release(fd)) == -EBUSY) spin_pause();
    explore_check(answer >= 0);
}

SCENARIO(fd_release, "a descriptor is released as soon as nobody is in a call on it, and is open then") {
    begin(1 + explore_choose(2));
    int number = kernel_open(0);
    fd = adopt(number);
    filch_task *task = start(read_one, NULL);
    unsigned releaser = explore_start(release_it, NULL);
    kernel_put(number);
    int moved = result_of(task);
    explore_check(moved == 1 || moved == -EBADF);
    explore_join(releaser);
    explore_check(kernel_is_open(number) && kernel_closes() == 0);
    fd = adopt(number);
    if (moved == 1) kernel_put(number);
    explore_check(read_with(FILCH_NEVER) == 1);
    end();
}
