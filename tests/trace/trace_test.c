/* SPDX-License-Identifier: MIT */
/*
 * Traces: that the picture is what has happened, whole and well-formed whatever it is taken of; that rings wrap, that dumps
 * are made while workers run, and what is refused.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>

#include "alloc/heap.h"
#include "tests/api/workers.h"
#include "tests/trace/picture.h"

static filch_runtime *traced_runtime(unsigned workers, unsigned events) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = workers}), 0);
    check_int(filch_trace_start(runtime, &(filch_trace_options){.events = events}), 0);
    return runtime;
}

static void run_main(filch_runtime *runtime, filch_fn *fn, void *arg) {
    filch_task *task;
    check_int(filch_runtime_spawn(runtime, &task, fn, arg, &(filch_task_options){.name = "main"}), 0);
    check_int(result_of(task), 0);
}

/* The picture of what was traced so far. */
static struct picture *picture_now(filch_runtime *runtime) {
    FILE *file = tmpfile();
    check(file != NULL);
    int events = filch_trace_dump(runtime, fileno(file));
    check(events >= 0);
    struct picture *picture = picture_of(file_text(fileno(file)));
    check_int(picture->events, events);
    fclose(file);
    return picture;
}

/* Runs `fn` as the main task, traced from start to end. */
static struct picture *picture_of_run(filch_fn *fn, void *arg, unsigned workers, unsigned events) {
    filch_runtime *runtime = traced_runtime(workers, events);
    run_main(runtime, fn, arg);
    check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
    struct picture *picture = picture_now(runtime);
    check_int(filch_runtime_destroy(runtime), 0);
    return picture;
}

static filch_task *start_named(filch_fn *fn, void *arg, const char *name) {
    filch_task *task;
    check_int(filch_spawn(&task, fn, arg, &(filch_task_options){.name = name}), 0);
    return task;
}

/* ---------------------------------------------------------------------------------------------- what has happened */

enum { NUMBERS = 20 };

static int produce(void *arg) {
    for (int i = 0; i < NUMBERS; i++) check_int(filch_chan_send(arg, &i, FILCH_NEVER), 0);
    filch_chan_close(arg);
    return 0;
}

static int consume(void *arg) {
    int number, count = 0;
    while (filch_chan_recv(arg, &number, FILCH_NEVER) == 0) count++;
    return count == NUMBERS ? 7 : 8;
}

static int pair_over_a_channel(void *arg) {
    filch_chan *chan;
    (void)arg;
    check_int(filch_chan_create(&chan, sizeof(int), 0), 0);
    filch_task *consumer = start_named(consume, chan, "consumer");
    check_int(filch_sleep(FILCH_MS(1)), 0); /* so that it is not called in place, and waits */
    filch_task *producer = start_named(produce, chan, "producer");
    check_int(filch_sleep(FILCH_MS(1)), 0);
    check_int(result_of(producer), 0);
    check_int(result_of(consumer), 7);
    filch_chan_destroy(chan);
    return 0;
}

TEST(trace, it_tells_who_ran_waited_for_what_and_was_woken) {
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        struct picture *picture = picture_of_run(pair_over_a_channel, NULL, workers, 0);
        check_int(picture->lost, 0);
        check(slices_named(picture, "consumer") >= 2);
        check(slices_named(picture, "producer") >= 1);
        check(slices_named(picture, "main") >= 3);
        check(count_of(picture->text, "\"for\":\"channel receive\"") >= 1);
        check_int(count_of(picture->text, "\"for\":\"channel receive\""),
                  count_of(picture->text, "\"waited_for\":\"channel receive\""));
        check(count_of(picture->text, "\"for\":\"sleep\"") >= 2);
        check_int(count_of(picture->text, "\"then\":\"ends\",\"result\":7"), 1);
        check_int(count_of(picture->text, "\"then\":\"ends\""), 3);
        check_int(count_of(picture->text, "\"spawned_at\":"), 3);
        check_int(count_of(picture->text, "\"ph\":\"f\",\"pid\":1,\"tid\":"), picture->finish_count);
        /* Each of the three was spawned, and each wait was ended by somebody. */
        check_int(count_of(picture->text, "\"cat\":\"flow\",\"name\":\"spawn\""), 2 * 3);
        check_int(count_of(picture->text, "\"cat\":\"flow\",\"name\":\"wake\""),
                  2 * count_of(picture->text, "\"then\":\"waits\""));
        picture_free(picture);
    }
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int awaits_in_place(void *arg) {
    (void)arg;
    check_int(result_of(start(nothing, NULL)), 0);
    return 0;
}

TEST(trace, a_task_that_is_called_in_place_is_a_slice_in_its_caller) {
    struct picture *picture = picture_of_run(awaits_in_place, NULL, 1, 0);
    check_int(slices_named(picture, "main"), 1);
    check_int(picture->begins - count_of(picture->text, "\"name\":\"asleep\""), 2);
    picture_free(picture);
}

static int sleeps_a_little(void *arg) {
    (void)arg;
    return filch_sleep(FILCH_MS(1));
}

static int awaits_who_waits(void *arg) {
    (void)arg;
    check_int(result_of(start(sleeps_a_little, NULL)), 0);
    return 0;
}

TEST(trace, who_waits_in_a_call_in_place_goes_on_in_it) {
    struct picture *picture = picture_of_run(awaits_who_waits, NULL, 1, 0);
    check_int(slices_named(picture, "main"), 2);
    check_int(picture->begins - count_of(picture->text, "\"name\":\"asleep\""), 4);
    picture_free(picture);
}

static int recurse(void *arg) {
    int *depth = arg;
    if (--*depth == 0) return filch_sleep(FILCH_MS(1));
    return result_of(start(recurse, depth));
}

TEST(trace, calls_in_place_may_be_deeper_than_what_is_shown) {
    int depth = 200;
    struct picture *picture = picture_of_run(recurse, &depth, 1, 0);
    check_int(picture->lost, 0);
    check_int(count_of(picture->text, "\"cat\":\"flow\",\"name\":\"spawn\""), 2 * 200);
    picture_free(picture);
}

/* ------------------------------------------------------------------------------------------------------ other events */

static atomic_uint child_begun;

static int forked_child(void *arg) {
    (void)arg;
    atomic_store(&child_begun, 1);
    return filch_sleep(FILCH_MS(1));
}

static int forks_and_waits(void *arg) {
    (void)arg;
    filch_frame frame;
    atomic_store(&child_begun, 0);
    filch_fork(&frame, forked_child, NULL);
    while (!atomic_load(&child_begun)) continue; /* somebody steals it */
    return filch_join(&frame);
}

TEST(trace, a_forked_call_that_was_stolen_has_slices_of_its_own) {
    struct picture *picture = picture_of_run(forks_and_waits, NULL, 2, 0);
    check(count_of(picture->text, "\"cat\":\"forked call\",\"name\":\"main\"") >= 2);
    check(count_of(picture->text, "\"cat\":\"instant\",\"name\":\"steal\"") >= 1);
    picture_free(picture);
}

static int blocks_and_marks(void *arg) {
    (void)arg;
    filch_trace_mark("before");
    filch_block_begin();
    usleep(1000);
    filch_block_end();
    filch_trace_mark("a \"mark\" \\ with\nall, \xc3\xa4 and \xff \xed\xa0\x80, that is cut");
    filch_trace_mark("");
    filch_trace_mark(NULL);
    return 0;
}

TEST(trace, calls_that_block_and_marks_are_shown) {
    struct picture *picture = picture_of_run(blocks_and_marks, NULL, 2, 0);
    check_int(count_of(picture->text, "\"cat\":\"worker\",\"name\":\"blocked\""), 1);
    check_int(count_of(picture->text, "\"cat\":\"instant\",\"name\":\"before\""), 1);
    check_int(count_of(picture->text, "\"name\":\"a \\\"mark\\\" \\\\ with\\u000aall, \xc3\xa4 and ?"), 1);
    check_int(count_of(picture->text, "\"name\":\"mark\""), 1);
    picture_free(picture);
    filch_trace_mark("by a thread that is no worker");
}

struct outside {
    filch_event event;
    filch_runtime *runtime;
};

static void *set_it(void *arg) {
    struct outside *outside = arg;
    usleep(2000);
    filch_event_set(&outside->event);
    return NULL;
}

static int waits_for_outside(void *arg) {
    struct outside *outside = arg;
    pthread_t thread;
    check_int(pthread_create(&thread, NULL, set_it, outside), 0);
    check_int(filch_event_wait(&outside->event, FILCH_NEVER), 0);
    pthread_join(thread, NULL);
    return 0;
}

TEST(trace, threads_that_are_no_workers_have_rows_where_they_wake) {
    struct outside outside = {.event = FILCH_EVENT_INIT};
    struct picture *picture = picture_of_run(waits_for_outside, &outside, 2, 0);
    check_int(count_of(picture->text, "\"args\":{\"name\":\"thread "), 2); /* one has spawned, one has set the event */
    check_int(count_of(picture->text, "\"cat\":\"point\",\"name\":\"wake\""), 1);
    picture_free(picture);
}

/* --------------------------------------------------------------------------------------------------------- counters */

static const struct counter *counter_of(struct picture *picture, const char *name) {
    const struct counter *counter = counter_named(picture, name);
    check(counter != NULL);
    return counter;
}

/* As picture_of_run, without spare workers: they come where the machine is busy, and count, too. */
static struct picture *picture_without_spares(filch_fn *fn, unsigned workers, unsigned events) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = workers, .no_monitor = true}), 0);
    check_int(filch_trace_start(runtime, &(filch_trace_options){.events = events}), 0);
    run_main(runtime, fn, NULL);
    check_int(filch_runtime_shutdown(runtime, FILCH_NEVER), 0);
    struct picture *picture = picture_now(runtime);
    check_int(filch_runtime_destroy(runtime), 0);
    return picture;
}

enum { CROWD = 30 };

struct crowd {
    filch_event event;
    atomic_int gave_way;
};

static int waits_and_gives_way(void *arg) {
    struct crowd *crowd = arg;
    check_int(filch_event_wait(&crowd->event, FILCH_NEVER), 0);
    filch_yield();
    atomic_fetch_add(&crowd->gave_way, 1);
    return 0;
}

/* Half of them are spawned at a time, and all are woken at once: so many can run only then. */
static int leads_a_crowd(void *arg) {
    (void)arg;
    struct crowd crowd = {.event = FILCH_EVENT_INIT};
    filch_task *tasks[CROWD];
    for (int i = 0; i < CROWD; i++) {
        if (i == CROWD / 2) check_int(filch_sleep(FILCH_MS(1)), 0); /* the first half wait */
        tasks[i] = start(waits_and_gives_way, &crowd);
    }
    check_int(filch_sleep(FILCH_MS(1)), 0); /* and now all */
    filch_event_set(&crowd.event);
    for (int i = 0; i < CROWD; i++) check_int(result_of(tasks[i]), 0);
    check_int(atomic_load(&crowd.gave_way), CROWD);
    return 0;
}

/* On one worker it is the same each time: all that it tells of itself comes in order. */
TEST(trace, counters_tell_how_many_tasks_there_are_can_run_and_how_many_workers_sleep) {
    struct picture *picture = picture_without_spares(leads_a_crowd, 1, 0);
    check_int(picture->lost, 0);
    const struct counter *tasks = counter_of(picture, "tasks"), *runnable = counter_of(picture, "runnable");
    check_int(tasks->first, 0);
    check_int(tasks->most, 1 + CROWD);
    check_int(tasks->last, 0);
    check_int(runnable->first, 0);
    check_int(runnable->most, CROWD);
    check_int(runnable->last, 0);
    check_int(counter_of(picture, "runnable: by worker 0")->most, CROWD);
    check_int(counter_of(picture, "runnable: by worker 0")->last, 0);
    check_int(counter_of(picture, "runnable: from outside")->most, 1); /* the first task */
    check_int(counter_of(picture, "runnable: from outside")->last, 0);
    const struct counter *asleep = counter_of(picture, "workers asleep");
    check(asleep->least == 0 && asleep->most <= 1);
    picture_free(picture);
}

static int many(void *arg) {
    int count = *(int *)arg;
    for (int i = 0; i < count; i++) {
        filch_task *task = start_named(nothing, NULL, i % 2 ? "odd" : "even");
        if (i % 8 == 0) filch_yield();
        check_int(result_of(task), 0);
        if (i % 100 == 0) check_int(filch_sleep(1000), 0);
    }
    return 0;
}

static int waits_to_send(void *arg) {
    for (int i = 0; i < NUMBERS; i++) check_int(filch_chan_send(arg, &i, FILCH_NEVER), 0);
    return 0;
}

static int waits_to_receive(void *arg) {
    int number;
    for (int i = 0; i < NUMBERS; i++) check_int(filch_chan_recv(arg, &number, FILCH_NEVER), 0);
    return 0;
}

static int waits_for(void *arg) {
    return filch_event_wait(arg, FILCH_NEVER);
}

static int many_pass(void *arg) {
    filch_chan *chan;
    filch_task *tasks[2 * 8];
    (void)arg;
    check_int(filch_chan_create(&chan, sizeof(int), 1), 0);
    for (int i = 0; i < 8; i++) tasks[i] = start(waits_to_send, chan);
    for (int i = 0; i < 8; i++) tasks[8 + i] = start(waits_to_receive, chan);
    for (int i = 0; i < 16; i++) check_int(result_of(tasks[i]), 0);
    filch_chan_destroy(chan);
    return 0;
}

TEST(trace, counters_come_to_nothing_when_all_is_done_on_any_number_of_workers) {
    for (unsigned workers = 1; workers <= 8; workers *= 2) {
        struct picture *picture = picture_without_spares(many_pass, workers, 1 << 16);
        check_int(picture->lost, 0);
        check_int(counter_of(picture, "tasks")->first, 0);
        check_int(counter_of(picture, "tasks")->last, 0);
        check(counter_of(picture, "tasks")->most >= 2 && counter_of(picture, "tasks")->most <= 17);
        check_int(counter_of(picture, "runnable")->last, 0);
        check(counter_of(picture, "runnable")->most <= 17);
        check(counter_of(picture, "workers asleep")->most <= (long)workers);
        for (unsigned i = 0; i < workers; i++) {
            char name[64];
            snprintf(name, sizeof name, "runnable: by worker %u", i);
            check_int(counter_of(picture, name)->last, 0);
        }
        picture_free(picture);
    }
}

/* Those that there were before are counted, and those whose events were overwritten are not missed. */
static int is_traced_with_others(void *arg) {
    filch_runtime *runtime = filch_runtime_current();
    filch_event event = FILCH_EVENT_INIT;
    filch_task *tasks[CROWD];
    int count = *(int *)arg;
    for (int i = 0; i < CROWD; i++) tasks[i] = start(waits_for, &event);
    check_int(filch_sleep(FILCH_MS(1)), 0); /* all wait by then */
    check_int(filch_trace_start(runtime, &(filch_trace_options){.events = 64}), 0);
    check_int(many(&count), 0);
    check_int(filch_trace_stop(runtime), 0);
    struct picture *picture = picture_now(runtime);
    check(count < 10 || picture->lost > 1000);
    const struct counter *alive = counter_of(picture, "tasks");
    check(alive->least == CROWD + 1 && alive->last == CROWD + 1 && alive->most == CROWD + 2);
    check(counter_of(picture, "runnable")->most <= 2);
    picture_free(picture);
    filch_event_set(&event);
    for (int i = 0; i < CROWD; i++) check_int(result_of(tasks[i]), 0);
    return 0;
}

TEST(trace, counters_begin_with_what_there_is_also_where_events_were_lost) {
    for (int count = 3; count <= 3000; count *= 1000) {
        filch_runtime *runtime;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1, .no_monitor = true}), 0);
        run_main(runtime, is_traced_with_others, &count);
        check_int(filch_runtime_destroy(runtime), 0);
    }
}

TEST(trace, counters_have_a_few_thousand_values_however_many_events_there_are) {
#ifdef TEST_SLOW /* where a search in a text looks at all of it */
    int count = 2000;
#else
    int count = 20000;
#endif
    struct picture *picture = picture_of_run(many, &count, 1, 1 << 18);
    check_int(picture->lost, 0);
    check(picture->events > 3 * (unsigned long)count);
    check(counter_of(picture, "tasks")->count > 100);
    for (unsigned i = 0; i < picture->counter_count; i++) check(picture->counters[i].count <= 2 * 8192 + 2);
    check_int(counter_of(picture, "tasks")->last, 0);
    picture_free(picture);
}

/* ----------------------------------------------------------------------------------------------------------- wraps */

TEST(trace, a_ring_that_is_full_keeps_the_youngest_and_counts_what_it_lost) {
    int count = 5000;
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct picture *picture = picture_of_run(many, &count, workers, 100);
        check(picture->events <= 128 * (workers + 1));
        check(picture->events >= 64);
        check(picture->lost > 10000);
        check(slices_named(picture, "even") + slices_named(picture, "odd") > 8);
        check_int(count_of(picture->text, "\"name\":\"task\""), 0); /* who began before is named, too */
        picture_free(picture);
    }
}

TEST(trace, a_ring_that_is_not_full_has_lost_nothing) {
    int count = 500;
    struct picture *picture = picture_of_run(many, &count, 2, 1 << 16);
    check_int(picture->lost, 0);
    check_int(count_of(picture->text, "\"then\":\"ends\""), count + 1);
    check_int(count_of(picture->text, "\"cat\":\"flow\",\"name\":\"spawn\""), 2 * (count + 1));
    picture_free(picture);
}

/* --------------------------------------------------------------------------------------------- dumps while it runs */

static atomic_bool enough;

static int mixes(void *arg) {
    filch_chan *chan = arg;
    for (int i = 0; !atomic_load(&enough); i++) {
        int value = i;
        filch_task *task = start_named(nothing, NULL, "child");
        if (filch_chan_try_send(chan, &value) != 0 && filch_chan_try_recv(chan, &value) != 0) filch_yield();
        filch_yield();
        check_int(result_of(task), 0);
        if (i % 8 == 0) check_int(filch_sleep(FILCH_US(300)), 0); /* whoever dumps needs a processor, too */
    }
    return 0;
}

static int many_mix(void *arg) {
    filch_task *tasks[16];
    filch_chan *chan;
    (void)arg;
    check_int(filch_chan_create(&chan, sizeof(int), 4), 0);
    for (int i = 0; i < 16; i++) tasks[i] = start_named(mixes, chan, "mixer");
    for (int i = 0; i < 16; i++) check_int(result_of(tasks[i]), 0);
    filch_chan_destroy(chan);
    return 0;
}

TEST(trace, dumps_are_whole_while_eight_workers_run) {
    filch_runtime *runtime = traced_runtime(8, 256);
    filch_task *task;
    check_int(filch_runtime_spawn(runtime, &task, many_mix, NULL, NULL), 0);
    for (int i = 0; i < 10; i++) {
        usleep(3000);
        picture_free(picture_now(runtime));
    }
    atomic_store(&enough, true);
    check_int(result_of(task), 0);
    struct picture *picture = picture_now(runtime);
    check(picture->events > 100);
    picture_free(picture);
    check_int(filch_runtime_destroy(runtime), 0);
}

static void *shut_down(void *arg) {
    check_int(filch_runtime_shutdown(arg, FILCH_NEVER), 0);
    return NULL;
}

TEST(trace, dumps_are_whole_while_a_runtime_shuts_down) {
    filch_runtime *runtime = traced_runtime(4, 256);
    pthread_t thread;
    check_int(filch_runtime_spawn(runtime, NULL, many_mix, NULL, NULL), 0);
    check_int(pthread_create(&thread, NULL, shut_down, runtime), 0);
    for (int i = 0; i < 10; i++) {
        if (i == 5) atomic_store(&enough, true);
        picture_free(picture_now(runtime));
    }
    pthread_join(thread, NULL);
    picture_free(picture_now(runtime));
    check_int(filch_runtime_destroy(runtime), 0);
}

static int dumps_itself(void *arg) {
    (void)arg;
    struct picture *picture = picture_now(filch_runtime_current());
    check_int(slices_named(picture, "main"), 1); /* it has only begun: the slice ends with the picture */
    picture_free(picture);
    return 0;
}

TEST(trace, a_task_dumps_its_own_runtime) {
    picture_free(picture_of_run(dumps_itself, NULL, 2, 0));
}

/* -------------------------------------------------------------------------------------------------------- on and off */

/* Ends with all workers asleep, or about to be. */
static void run_some(filch_runtime *runtime, int count) {
    run_main(runtime, many, &count);
    filch_stats stats;
    do {
        usleep(1000);
        check_int(filch_runtime_stats(runtime, &stats), 0);
    } while (stats.tasks > 0);
}

TEST(trace, it_is_started_and_stopped_and_begins_anew) {
    filch_runtime *runtime = traced_runtime(2, 4096);
    for (int i = 1; i <= 3; i++) {
        check_int(filch_trace_start(runtime, NULL), -EALREADY);
        run_some(runtime, 10 * i);
        check_int(filch_trace_stop(runtime), 0);
        check_int(filch_trace_stop(runtime), -EALREADY);
        run_some(runtime, 100);
        for (int again = 0; again < 2; again++) {
            struct picture *picture = picture_now(runtime);
            check_int(count_of(picture->text, "\"then\":\"ends\""), 10 * i + 1);
            picture_free(picture);
        }
        check_int(filch_trace_start(runtime, NULL), 0);
    }
    check_int(filch_trace_stop(runtime), 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

TEST(trace, it_is_switched_while_workers_run) {
    filch_runtime *runtime = traced_runtime(8, 256);
    filch_task *task;
    check_int(filch_runtime_spawn(runtime, &task, many_mix, NULL, NULL), 0);
    for (int i = 0; i < 60; i++) {
        check_int(filch_trace_stop(runtime), 0);
        if (i % 10 == 0) picture_free(picture_now(runtime));
        check_int(filch_trace_start(runtime, NULL), 0);
        if (i % 10 == 5) picture_free(picture_now(runtime));
    }
    atomic_store(&enough, true);
    check_int(result_of(task), 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

/* ---------------------------------------------------------------------------------------------------------- refusals */

TEST(trace, bad_arguments_are_refused) {
    filch_runtime *runtime;
    check_int(filch_trace_start(NULL, NULL), -EINVAL);
    check_int(filch_trace_stop(NULL), -EINVAL);
    check_int(filch_trace_dump(NULL, 1), -EINVAL);
    check_int(filch_trace_save(NULL, "/dev/null"), -EINVAL);
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_trace_save(runtime, NULL), -EINVAL);
    check_int(filch_trace_stop(runtime), -EALREADY);
    check_int(filch_trace_dump(runtime, 1), -ENODATA);
    check_int(filch_trace_save(runtime, "/dev/null"), -ENODATA);
    check_int(filch_trace_start(runtime, &(filch_trace_options){.events = FILCH_TRACE_EVENTS_MAX + 1}), -EINVAL);
    check_int(filch_trace_start(runtime, &(filch_trace_options){.events = 100}), 0);
    check_int(filch_trace_stop(runtime), 0);
    check_int(filch_trace_start(runtime, &(filch_trace_options){.events = 1000}), -EINVAL);
    check_int(filch_trace_start(runtime, &(filch_trace_options){.events = 128}), 0); /* as many as 100 make */
    check_int(filch_runtime_destroy(runtime), 0);
}

TEST(trace, where_it_cannot_be_written_is_told) {
    filch_runtime *runtime = traced_runtime(1, 0);
    run_some(runtime, 100);
    check_int(filch_trace_save(runtime, "/no/such/folder/trace.json"), -ENOENT);
    check_int(filch_trace_save(runtime, "/"), -EISDIR);
    check_int(filch_trace_dump(runtime, -1), -EBADF);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full >= 0) check_int(filch_trace_dump(runtime, full), -ENOSPC);
    close(full);
    check(filch_trace_save(runtime, "/dev/null") > 0);
    check_int(filch_runtime_destroy(runtime), 0);
}

TEST(trace, without_memory_it_is_not_started_and_may_be_later) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 4, .no_monitor = true}), 0);
    size_t before = filch__heap_objects();
    unsigned failed = 0;
    for (int answer = -ENOMEM; answer != 0; failed++) {
        filch__alloc_fail(failed + 1, false);
        answer = filch_trace_start(runtime, NULL);
        filch__alloc_fail(0, false);
        if (answer == 0) break;
        check_int(answer, -ENOMEM);
        check_int(filch__heap_objects(), before);
        check_int(filch_trace_dump(runtime, 1), -ENODATA);
    }
    check_int(failed, 1 + 1 + 4); /* the trace, the outside ring, and one for each worker */
    run_some(runtime, 10);
    picture_free(picture_now(runtime));
    check_int(filch_runtime_destroy(runtime), 0);
}

/* -------------------------------------------------------------------------------------------------------- simulation */

struct simulated {
    const char *path;
    bool traced;
};

static int stirs(void *arg) {
    const struct simulated *simulated = arg;
    filch_runtime *runtime = filch_runtime_current();
    if (simulated->traced) check_int(filch_trace_start(runtime, NULL), 0);
    check_int(pair_over_a_channel(NULL), 0);
    filch_task *tasks[8];
    filch_mutex mutex = FILCH_MUTEX_INIT;
    for (int i = 0; i < 8; i++) tasks[i] = start_named(sleeps_a_little, NULL, i % 2 ? "odd" : "even");
    for (int i = 0; i < 8; i++) {
        check_int(filch_mutex_lock(&mutex, FILCH_NEVER), 0);
        filch_yield();
        filch_mutex_unlock(&mutex);
        check_int(result_of(tasks[i]), 0);
    }
    if (simulated->traced) check(filch_trace_save(runtime, simulated->path) > 0);
    return 0;
}

/* Not inlined: its spawn is one place. */
static __attribute__((noinline)) uint64_t hash_of_seed(uint64_t seed, const char *path, bool traced) {
    uint64_t hash = 0;
    filch_simulation simulation = {.seed = seed, .quiet = true, .hash = &hash};
    struct simulated simulated = {path, traced};
    check_int(filch_run(stirs, &simulated, &(filch_options){.workers = 3, .simulation = &simulation}), 0);
    return hash;
}

TEST(trace, the_same_seed_gives_the_same_picture_and_is_not_changed_by_it) {
    char paths[2][64], *texts[2];
    for (int i = 0; i < 2; i++) snprintf(paths[i], sizeof paths[i], "/tmp/filch-trace-%d-%d.json", (int)getpid(), i);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        uint64_t hash = hash_of_seed(seed, NULL, false);
        void *moves = malloc(12345); /* addresses are others the next time */
        for (int i = 0; i < 2; i++) {
            check(hash_of_seed(seed, paths[i], true) == hash);
            struct picture *picture = picture_at(paths[i]);
            check_int(count_of(picture->text, "0x"), count_of(picture->text, "(+0x") + count_of(picture->text, "+0x0"));
            texts[i] = strdup(picture->text);
            picture_free(picture);
            free(moves);
            moves = NULL;
        }
        check(strcmp(texts[0], texts[1]) == 0);
        for (int i = 0; i < 2; i++) free(texts[i]);
    }
    for (int i = 0; i < 2; i++) unlink(paths[i]);
}
