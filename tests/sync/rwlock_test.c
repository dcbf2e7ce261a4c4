/* SPDX-License-Identifier: MIT */
/*
 * Read-write locks: readers together, a writer alone, turns so that neither starves, and nobody left waiting who may go
 * on, whatever is cancelled or expires and when.
 */
#include <string.h>

#include "tests/sync/locks.h"

struct visitor {
    filch_rwlock *lock;
    filch_deadline deadline;
    atomic_bool in, leave;
};

static int visit_to_read(void *arg) {
    struct visitor *visitor = arg;
    int error = filch_rwlock_read(visitor->lock, visitor->deadline);
    if (error) return error;
    atomic_store(&visitor->in, true);
    while (!atomic_load(&visitor->leave)) filch_yield();
    filch_rwlock_read_unlock(visitor->lock);
    return 0;
}

static int visit_to_write(void *arg) {
    struct visitor *visitor = arg;
    int error = filch_rwlock_write(visitor->lock, visitor->deadline);
    if (error) return error;
    atomic_store(&visitor->in, true);
    while (!atomic_load(&visitor->leave)) filch_yield();
    filch_rwlock_write_unlock(visitor->lock);
    return 0;
}

static void until_readers_wait(filch_rwlock *lock, int count) {
    until_waiting(&lock->filch__latch, &lock->filch__readers, count);
}

static void until_writers_wait(filch_rwlock *lock, int count) {
    until_waiting(&lock->filch__latch, &lock->filch__writers, count);
}

static void until_in(struct visitor *visitor) {
    while (!atomic_load(&visitor->in)) filch_yield();
}

static int leave_now(struct visitor *visitor, filch_task *task) {
    atomic_store(&visitor->leave, true);
    return result_of(task);
}

/* ---------------------------------------------------------------------------------------------------- one by one */

static int follow_the_model(void *arg) {
    (void)arg;
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    uint32_t random = 4242;
    int reading = 0;
    bool writing = false;
    for (int i = 0; i < 10000; i++) {
        switch (chance(&random, 6)) {
        case 0:
            check_int(filch_rwlock_try_read(&lock), writing ? -EBUSY : 0);
            reading += !writing;
            break;
        case 1:
            check_int(filch_rwlock_try_write(&lock), writing || reading ? -EBUSY : 0);
            writing = writing || !reading;
            break;
        case 2:
            if (reading) filch_rwlock_read_unlock(&lock);
            reading -= reading > 0;
            break;
        case 3:
            if (writing) filch_rwlock_write_unlock(&lock);
            writing = false;
            break;
        case 4:
            if (writing) {
                filch_rwlock_downgrade(&lock);
                writing = false;
                reading = 1;
            }
            break;
        default:
            if (!writing) check_int(filch_rwlock_read(&lock, (filch_deadline){0}), 0);
            reading += !writing;
            break;
        }
    }
    for (; reading > 0; reading--) filch_rwlock_read_unlock(&lock);
    if (writing) filch_rwlock_write_unlock(&lock);
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), 0);
    filch_rwlock_write_unlock(&lock);
    filch_rwlock_fini(&lock);
    return 0;
}

TEST(rwlock, calls_that_need_not_wait_follow_the_model) {
    run_with(1, follow_the_model, NULL);
    check_int(follow_the_model(NULL), 0); /* a thread that is no worker */
}

TEST(rwlock, no_lock_is_an_invalid_argument) {
    filch_rwlock lock;
    memset(&lock, 0xa5, sizeof lock);
    filch_rwlock_init(&lock);
    filch_rwlock_fini(&lock);
    check_int(filch_rwlock_read(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_rwlock_write(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_rwlock_try_read(NULL), -EINVAL);
    check_int(filch_rwlock_try_write(NULL), -EINVAL);
}

/* ------------------------------------------------------------------------------------------------------- crowds */

struct shared {
    filch_rwlock lock;
    long left, right; /* equal, but while somebody writes */
    atomic_int reading, writing;
    atomic_long written;
    bool deadlines;
    int laps;
};

static filch_deadline some_deadline(const struct shared *shared, uint32_t *random) {
    return shared->deadlines && chance(random, 2) ? filch_after(FILCH_US(chance(random, 40))) : FILCH_NEVER;
}

static void look_inside(struct shared *shared, uint32_t *random) {
    atomic_fetch_add(&shared->reading, 1);
    check_int(atomic_load(&shared->writing), 0);
    long left = shared->left;
    if (chance(random, 4) == 0) filch_yield();
    check_int(shared->right, left);
    atomic_fetch_sub(&shared->reading, 1);
}

static void change_inside(struct shared *shared, uint32_t *random) {
    check_int(atomic_fetch_add(&shared->writing, 1), 0);
    check_int(atomic_load(&shared->reading), 0);
    shared->left++;
    if (chance(random, 4) == 0) filch_yield();
    shared->right++;
    atomic_fetch_sub(&shared->writing, 1);
    atomic_fetch_add(&shared->written, 1);
}

/* One lap; -ECANCELED if it was. */
static int read_or_write(struct shared *shared, uint32_t *random) {
    bool write = chance(random, 4) == 0, only_try = chance(random, 8) == 0;
    filch_deadline deadline = some_deadline(shared, random);
    int error = write ? only_try ? filch_rwlock_try_write(&shared->lock) : filch_rwlock_write(&shared->lock, deadline)
                : only_try ? filch_rwlock_try_read(&shared->lock)
                           : filch_rwlock_read(&shared->lock, deadline);
    if (error) {
        check(error == -EBUSY || error == -ECANCELED || (shared->deadlines && error == -ETIMEDOUT));
        return error;
    }
    if (!write) {
        look_inside(shared, random);
        filch_rwlock_read_unlock(&shared->lock);
        return 0;
    }
    change_inside(shared, random);
    if (chance(random, 2)) {
        filch_rwlock_write_unlock(&shared->lock);
    } else {
        filch_rwlock_downgrade(&shared->lock);
        look_inside(shared, random);
        filch_rwlock_read_unlock(&shared->lock);
    }
    return 0;
}

static void read_and_write(void *arg, uint32_t *random) {
    struct shared *shared = arg;
    for (int i = 0; i < shared->laps; i++) {
        if (read_or_write(shared, random) == -ECANCELED && chance(random, 4) == 0) return;
        if (chance(random, 16) == 0) filch_yield();
    }
}

static int exclude(void *arg) {
    (void)arg;
    for (int round = 0; round < 4; round++) {
        struct shared shared = {.laps = 500 / TEST_SCALE, .deadlines = round & 1};
        crowd(read_and_write, &shared, round & 2);
        check_int(shared.left, shared.written);
        check_int(shared.right, shared.written);
        check_int(filch_rwlock_try_write(&shared.lock), 0);
        filch_rwlock_write_unlock(&shared.lock);
        filch_rwlock_fini(&shared.lock);
    }
    return 0;
}

TEST(rwlock, readers_together_and_writers_alone_among_tasks_and_threads) {
    run_with_each(exclude, NULL);
}

/* -------------------------------------------------------------------------------------------------------- turns */

static int take_turns(void *arg) {
    (void)arg;
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    struct visitor visitors[6];
    for (int i = 0; i < 6; i++) visitors[i] = (struct visitor){.lock = &lock, .deadline = FILCH_NEVER};
    filch_task *tasks[6];
    tasks[0] = start(visit_to_read, &visitors[0]);
    until_in(&visitors[0]);
    tasks[1] = start(visit_to_write, &visitors[1]); /* waits for the reader */
    until_writers_wait(&lock, 1);
    tasks[2] = start(visit_to_read, &visitors[2]); /* both behind the writer */
    tasks[3] = start(visit_to_read, &visitors[3]);
    until_readers_wait(&lock, 2);
    tasks[4] = start(visit_to_write, &visitors[4]); /* before them, but it is not its turn */
    until_writers_wait(&lock, 2);
    check_int(filch_rwlock_try_read(&lock), -EBUSY);
    check_int(leave_now(&visitors[0], tasks[0]), 0);
    until_in(&visitors[1]);
    check(!visitors[2].in && !visitors[4].in);
    tasks[5] = start(visit_to_read, &visitors[5]); /* comes last, and is let in with the other readers */
    until_readers_wait(&lock, 3);
    check_int(leave_now(&visitors[1], tasks[1]), 0);
    until_in(&visitors[2]);
    until_in(&visitors[3]);
    until_in(&visitors[5]);
    check(!visitors[4].in);
    check_int(leave_now(&visitors[2], tasks[2]), 0);
    check_int(leave_now(&visitors[3], tasks[3]), 0);
    check(!visitors[4].in);
    check_int(leave_now(&visitors[5], tasks[5]), 0);
    until_in(&visitors[4]);
    check_int(leave_now(&visitors[4], tasks[4]), 0);
    filch_rwlock_fini(&lock);
    return 0;
}

TEST(rwlock, readers_and_writers_take_turns) {
    run_with_each(take_turns, NULL);
}

/* Readers that overlap without end let a writer in. */
struct relay {
    filch_rwlock lock;
    atomic_int overlapping; /* readers that have begun */
    atomic_bool written;
};

static int read_in_relay(void *arg) {
    struct relay *relay = arg;
    atomic_fetch_add(&relay->overlapping, 1);
    while (!atomic_load(&relay->written)) {
        check_int(filch_rwlock_read(&relay->lock, FILCH_NEVER), 0);
        filch_yield();
        filch_rwlock_read_unlock(&relay->lock);
    }
    return 0;
}

static int write_in_relay(void *arg) {
    struct relay *relay = arg;
    check_int(filch_rwlock_write(&relay->lock, FILCH_NEVER), 0);
    atomic_store(&relay->written, true);
    filch_rwlock_write_unlock(&relay->lock);
    return 0;
}

static int overlap(void *arg) {
    (void)arg;
    struct relay relay = {.written = false};
    filch_task *readers[8];
    for (int i = 0; i < 8; i++) readers[i] = start(read_in_relay, &relay);
    while (atomic_load(&relay.overlapping) < 8) filch_yield();
    check_int(result_of(start(write_in_relay, &relay)), 0);
    for (int i = 0; i < 8; i++) check_int(result_of(readers[i]), 0);
    filch_rwlock_fini(&relay.lock);
    return 0;
}

TEST(rwlock, readers_that_overlap_without_end_do_not_starve_a_writer) {
    run_with_each(overlap, NULL);
}

static int downgrade(void *arg) {
    (void)arg;
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    struct visitor reader = {.lock = &lock, .deadline = FILCH_NEVER}, writer = {.lock = &lock, .deadline = FILCH_NEVER};
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), 0);
    filch_task *writes = start(visit_to_write, &writer);
    until_writers_wait(&lock, 1);
    filch_task *reads = start(visit_to_read, &reader);
    until_readers_wait(&lock, 1);
    filch_rwlock_downgrade(&lock);
    until_in(&reader);
    check_int(leave_now(&reader, reads), 0);
    check(!writer.in);
    filch_rwlock_read_unlock(&lock);
    until_in(&writer);
    check_int(leave_now(&writer, writes), 0);
    filch_rwlock_fini(&lock);
    return 0;
}

TEST(rwlock, a_downgrade_lets_readers_in_and_no_writer) {
    run_with_each(downgrade, NULL);
}

/* ---------------------------------------------------------------------------------------- deadlines, cancellation */

static int pass_deadlines(void *arg) {
    (void)arg;
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    struct visitor reader = {.lock = &lock}, writer = {.lock = &lock};
    check_int(filch_rwlock_write(&lock, (filch_deadline){0}), 0);
    check_int(result_of(start(visit_to_read, &reader)), -ETIMEDOUT);
    check_int(result_of(start(visit_to_write, &writer)), -ETIMEDOUT);
    reader.deadline = writer.deadline = filch_after(FILCH_MS(2));
    filch_task *reads = start(visit_to_read, &reader), *writes = start(visit_to_write, &writer);
    check_int(result_of(reads), -ETIMEDOUT);
    check_int(result_of(writes), -ETIMEDOUT);
    check(filch_now() >= reader.deadline.at_ns);
    filch_rwlock_write_unlock(&lock);
    filch_rwlock_fini(&lock);
    return 0;
}

TEST(rwlock, a_deadline_that_passes_leaves_the_lock_to_its_owner) {
    run_with_each(pass_deadlines, NULL);
}

static int lock_when_cancelled(void *arg) {
    (void)arg;
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(filch_rwlock_read(&lock, FILCH_NEVER), -ECANCELED);
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), -ECANCELED);
    check_int(filch_rwlock_try_write(&lock), 0);
    filch_rwlock_write_unlock(&lock);
    filch_scope_close(&scope);
    filch_rwlock_fini(&lock);
    return 0;
}

TEST(rwlock, a_free_lock_is_not_locked_in_a_cancelled_scope) {
    run_with_each(lock_when_cancelled, NULL);
}

/* A writer waits for a reader, and readers behind it; the writer goes away. */
static int withdraw_a_writer(void *arg) {
    bool expires = *(bool *)arg;
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    struct visitor readers[2], writer = {.lock = &lock, .deadline = FILCH_NEVER};
    filch_task *reads[2];
    check_int(filch_rwlock_read(&lock, FILCH_NEVER), 0);
    if (expires) writer.deadline = filch_after(FILCH_MS(20));
    filch_task *writes = start(visit_to_write, &writer);
    while (waiting_in(&lock.filch__latch, &lock.filch__writers) == 0 && !filch_task_done(writes)) filch_yield();
    for (int i = 0; i < 2; i++) {
        readers[i] = (struct visitor){.lock = &lock, .deadline = FILCH_NEVER};
        reads[i] = start(visit_to_read, &readers[i]);
    }
    if (!expires) {
        until_readers_wait(&lock, 2);
        filch_task_cancel(writes);
    }
    check_int(result_of(writes), expires ? -ETIMEDOUT : -ECANCELED);
    for (int i = 0; i < 2; i++) until_in(&readers[i]); /* though the first reader has not left */
    for (int i = 0; i < 2; i++) check_int(leave_now(&readers[i], reads[i]), 0);
    filch_rwlock_read_unlock(&lock);
    filch_rwlock_fini(&lock);
    return 0;
}

TEST(rwlock, readers_behind_a_writer_that_is_cancelled_go_on) {
    run_with_each(withdraw_a_writer, &(bool){false});
}

TEST(rwlock, readers_behind_a_writer_whose_deadline_passes_go_on) {
    run_with_each(withdraw_a_writer, &(bool){true});
}

/* Cancelled when the lock has been given to it already: it has it, and gives it up as any owner does. */
static int cancel_one_that_was_let_in(void *arg) {
    filch_fn *visit = *(filch_fn **)arg;
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    struct visitor first = {.lock = &lock, .deadline = FILCH_NEVER}, second = first;
    atomic_store(&first.leave, true);
    atomic_store(&second.leave, true);
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), 0);
    filch_task *waits = start(visit, &first);
    until_waiting(&lock.filch__latch, visit == visit_to_read ? &lock.filch__readers : &lock.filch__writers, 1);
    filch_task *next = start(visit_to_write, &second);
    until_writers_wait(&lock, visit == visit_to_read ? 1 : 2);
    filch_rwlock_write_unlock(&lock);
    filch_task_cancel(waits);
    check_int(result_of(waits), 0);
    check_int(result_of(next), 0);
    filch_rwlock_fini(&lock);
    return 0;
}

TEST(rwlock, one_cancelled_when_it_was_let_in_has_the_lock_and_passes_it_on) {
    filch_fn *visits[] = {visit_to_read, visit_to_write};
    for (int i = 0; i < 50; i++) {
        run_with_each(cancel_one_that_was_let_in, &visits[0]);
        run_with_each(cancel_one_that_was_let_in, &visits[1]);
    }
}

/* --------------------------------------------------------------------------------------------------------- misuse */

TEST_DIES(rwlock, writing_what_one_writes_aborts, "rwlock_write: lock") {
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), 0);
    (void)!filch_rwlock_write(&lock, FILCH_NEVER);
}

TEST_DIES(rwlock, reading_what_one_writes_aborts, "rwlock_read: lock") {
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), 0);
    (void)!filch_rwlock_read(&lock, FILCH_NEVER);
}

TEST_DIES(rwlock, ending_a_read_that_nobody_has_begun_aborts, "nobody holds lock") {
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    filch_rwlock_read_unlock(&lock);
}

static int end_writing(void *arg) {
    filch_rwlock_write_unlock(arg);
    return 0;
}

TEST_DIES(rwlock, ending_the_write_of_another_aborts, "is held for writing by thread") {
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), 0);
    run_with(1, end_writing, &lock);
}

TEST_DIES(rwlock, downgrading_what_one_only_reads_aborts, "rwlock_downgrade: only its writer may") {
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    check_int(filch_rwlock_read(&lock, FILCH_NEVER), 0);
    filch_rwlock_downgrade(&lock);
}

TEST_DIES(rwlock, ending_the_use_of_one_that_is_read_aborts, "is held by 1 readers") {
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    check_int(filch_rwlock_read(&lock, FILCH_NEVER), 0);
    filch_rwlock_fini(&lock);
}

TEST_DIES(rwlock, ending_the_use_of_one_that_is_written_aborts, "is held for writing by thread") {
    filch_rwlock lock = FILCH_RWLOCK_INIT;
    check_int(filch_rwlock_write(&lock, FILCH_NEVER), 0);
    filch_rwlock_fini(&lock);
}
