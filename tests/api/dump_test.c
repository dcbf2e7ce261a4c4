/* SPDX-License-Identifier: MIT */
/*
 * Dumps: that they tell who waits for what and where, fold what is alike, leave those who wait as they were, and come when
 * the signal asks for them, also where every worker is held. And deadlocks: that circles are found, and nothing else.
 */
#include <errno.h>
#include <filch/filch.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "context/context.h"
#include "tests/api/workers.h"
#include "tests/test.h"

enum { TEXT_MAX = 1 << 16 };

/* What `fd`, the descriptor of a file, holds, for free(). */
static char *text_of(FILE *file) {
    char *text = calloc(1, TEXT_MAX);
    check(text != NULL);
    rewind(file);
    size_t length = fread(text, 1, TEXT_MAX - 1, file);
    check(length < TEXT_MAX - 1);
    fclose(file);
    return text;
}

static unsigned count_of(const char *text, const char *what) {
    unsigned count = 0;
    while ((text = strstr(text, what)) != NULL) {
        count++;
        text += strlen(what);
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------------- those who wait */

enum { WAITERS = 100 };

struct scene {
    filch_event over;
    filch_mutex mutex;
    atomic_uint begun;
    const filch_dump_options *options;
    char *text;
    int tasks;
};

static int wait_for_the_end(void *arg) {
    struct scene *scene = arg;
    atomic_fetch_add(&scene->begun, 1);
    return filch_event_wait(&scene->over, FILCH_NEVER);
}

static int lock_it(void *arg) {
    struct scene *scene = arg;
    atomic_fetch_add(&scene->begun, 1);
    int error = filch_mutex_lock(&scene->mutex, FILCH_NEVER);
    if (error == 0) filch_mutex_unlock(&scene->mutex);
    return error;
}

static int hold_a_group(void *arg) {
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    for (int i = 0; i < WAITERS; i++) {
        check_int(filch_scope_spawn(&scope, NULL, wait_for_the_end, arg, &(filch_task_options){.name = "waiter"}), 0);
    }
    return filch_scope_close(&scope);
}

/* All but the caller wait. */
static bool all_wait(void) {
    filch_stats stats;
    check_int(filch_runtime_stats(filch_runtime_current(), &stats), 0);
    filch_sleep(FILCH_MS(1));
    return stats.tasks == WAITERS + 3;
}

static int count_waiting(const filch_task_info *info, void *arg) {
    if (info->state == FILCH_TASK_WAITING) ++*(int *)arg;
    return 0;
}

static void until_all_wait(struct scene *scene) {
    int waiting = 0;
    while (atomic_load(&scene->begun) < WAITERS + 1 || !all_wait() || waiting < WAITERS + 2) {
        waiting = 0;
        check_int(filch_task_each(filch_runtime_current(), count_waiting, &waiting), 0);
        filch_sleep(FILCH_MS(1));
    }
}

static int dump_the_scene(void *arg) {
    struct scene *scene = arg;
    filch_task *group, *locker;
    FILE *file = tmpfile();
    check(file != NULL);
    check_int(filch_mutex_lock(&scene->mutex, FILCH_NEVER), 0);
    check_int(filch_spawn(&group, hold_a_group, scene, &(filch_task_options){.name = "group"}), 0);
    check_int(filch_spawn(&locker, lock_it, scene, &(filch_task_options){.name = "a \"locker\""}), 0);
    until_all_wait(scene);
    for (int again = 0; again < 100; again++) { /* looking leaves nothing behind on anybody's stack */
        check_int(filch_dump(fileno(file), NULL, &(filch_dump_options){.no_running = true}), WAITERS + 3);
        rewind(file);
        check_int(ftruncate(fileno(file), 0), 0);
    }
    scene->tasks = filch_dump(fileno(file), filch_runtime_current(), scene->options);
    scene->text = text_of(file);
    filch_mutex_unlock(&scene->mutex);
    filch_event_set(&scene->over);
    int result = -1;
    check_int(filch_await(group, &result, FILCH_NEVER), 0);
    check_int(result, 0);
    check_int(filch_await(locker, &result, FILCH_NEVER), 0);
    check_int(result, 0);
    return 0;
}

static char *dump_with(unsigned workers, const filch_dump_options *options) {
    struct scene scene = {.options = options};
    filch_event_init(&scene.over);
    filch_mutex_init(&scene.mutex);
    check_int(filch_run(dump_the_scene, &scene, &(filch_options){.workers = workers}), 0);
    check_int(scene.tasks, WAITERS + 3);
    return scene.text;
}

static void look_at_text(unsigned workers) {
    char *text = dump_with(workers, &(filch_dump_options){.no_running = true});
    check_int(count_of(text, "\"waiter\" and more like it, x 100 in all: waits for event "), 1);
    check_int(count_of(text, "\"waiter\""), 1);
    check(strstr(text, "\n  task ") != NULL && strstr(text, "\"group\": waits for scope_close ") != NULL);
    check(strstr(text, "\n    task ") != NULL); /* the waiters stand under the task that has opened their scope */
    check(strstr(text, "\"a ?locker?\": waits for mutex ") != NULL);
    check(strstr(text, ", held by task ") != NULL && strstr(text, " \"main\"; spawned at ") != NULL);
    check(count_of(text, "make_fcontext") >= 1 || count_of(text, "(+0x") > 10); /* backtraces, to their entry */
    check(strstr(text, "DEADLOCK") == NULL);
    free(text);
}

TEST(dump, it_tells_what_each_waits_for_and_folds_what_is_alike) {
    for (size_t i = 0; i < TEST_WORKERS; i++) look_at_text(test_workers[i]);
}

TEST(dump, as_json_it_has_the_same) {
    char *text = dump_with(2, &(filch_dump_options){.format = FILCH_DUMP_JSON, .no_running = true});
    check(strncmp(text, "[{\"runtime\":", 12) == 0);
    check_int(count_of(text, "\"name\":\"waiter\",\"count\":100,\"state\":\"waits\""), 1);
    check_int(count_of(text, "\"waits_for\":\"mutex\""), 1);
    check(strstr(text, "\"held_by\":\"0x") != NULL);
    check(count_of(text, "\"opened_by\":\"0x") >= 1);
    check_int(count_of(text, "{"), count_of(text, "}"));
    check_int(count_of(text, "["), count_of(text, "]"));
    check(strcmp(text + strlen(text) - 2, "]\n") == 0);
    free(text);
}

/* ------------------------------------------------------------------------------------------------------ trees like trees */

enum { CONNECTIONS = 307, ODDS = 8 };

struct grove {
    filch_event over;
    filch_sem places;
    atomic_uint begun;
    filch_dump_format format;
    char *text;
};

static int wait_at_places(void *arg) {
    struct grove *grove = arg;
    atomic_fetch_add(&grove->begun, 1);
    return filch_sem_acquire(&grove->places, FILCH_NEVER);
}

static int wait_for_over(void *arg) {
    struct grove *grove = arg;
    atomic_fetch_add(&grove->begun, 1);
    return filch_event_wait(&grove->over, FILCH_NEVER);
}

/* All are spawned at one place: what is called by these is neither inlined nor copied. */
static int (*volatile const spawn)(filch_scope *, filch_task **, filch_fn *, void *,
                                   const filch_task_options *) = filch_scope_spawn;

static void spawn_one(filch_scope *scope, filch_fn *fn, struct grove *grove, const char *name) {
    check_int(spawn(scope, NULL, fn, grove, &(filch_task_options){.name = name}), 0);
}

static void (*volatile const spawn_at_one_place)(filch_scope *, filch_fn *, struct grove *, const char *) = spawn_one;

/* Two readers and a writer; of an odd one, three readers. The other way round, so that order does not matter. */
static int connection(struct grove *grove, int readers, bool writer_first) {
    filch_scope scope;
    atomic_fetch_add(&grove->begun, 1);
    check_int(filch_scope_open(&scope, NULL), 0);
    for (int i = 0; i <= readers; i++) {
        bool writes = i == (writer_first ? 0 : readers);
        spawn_at_one_place(&scope, writes ? wait_at_places : wait_for_over, grove, writes ? "writer" : "reader");
    }
    return filch_scope_close(&scope);
}

static int even(void *arg) {
    struct grove *grove = arg;
    return connection(grove, 2, atomic_load(&grove->begun) % 2);
}

static int odd(void *arg) {
    return connection(arg, 3, false);
}

static int plant_a_grove(void *arg) {
    struct grove *grove = arg;
    filch_scope scope;
    FILE *file = tmpfile();
    check(file != NULL);
    check_int(filch_scope_open(&scope, NULL), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        bool is_odd = i % 43 == 0;
        spawn_at_one_place(&scope, is_odd ? odd : even, grove, is_odd ? "odd" : "even");
    }
    int tasks = 1 + 4 * CONNECTIONS + ODDS, waiting = 0;
    while (waiting < tasks - 1) {
        waiting = 0;
        check_int(filch_sleep(FILCH_MS(1)), 0);
        check_int(filch_task_each(filch_runtime_current(), count_waiting, &waiting), 0);
    }
    filch_dump_options options = {.format = grove->format, .no_running = true};
    check_int(filch_dump(fileno(file), NULL, &options), tasks);
    grove->text = text_of(file);
    filch_event_set(&grove->over);
    filch_sem_release_n(&grove->places, CONNECTIONS);
    return filch_scope_close(&scope);
}

static char *text_of_grove(unsigned workers, filch_dump_format format) {
    struct grove grove = {.format = format};
    filch_event_init(&grove.over);
    check_int(filch_sem_init(&grove.places, 0, SIZE_MAX), 0);
    check_int(filch_run(plant_a_grove, &grove, &(filch_options){.workers = workers}), 0);
    return grove.text;
}

static unsigned long sum_of(const char *text, const char *key) {
    unsigned long sum = 0;
    while ((text = strstr(text, key)) != NULL) sum += strtoul(text += strlen(key), NULL, 10);
    return sum;
}

TEST(dump, of_trees_of_tasks_that_are_alike_shows_one) {
    for (size_t i = 0; i < TEST_WORKERS; i++) {
        char *text = text_of_grove(test_workers[i], FILCH_DUMP_TEXT);
        check_int(count_of(text, "\n    task "), 2); /* under main's scope */
        check_int(count_of(text, "\n      task "), 4);
        check_int(count_of(text, "\"even\" and more like it, x 299 in all: waits for scope_close "), 1);
        check_int(count_of(text, "\"odd\" and more like it, x 8 in all: waits for scope_close "), 1);
        check_int(count_of(text, "\"reader\" and more like it, x 598 in all: waits for event "), 1);
        check_int(count_of(text, "\"reader\" and more like it, x 24 in all: waits for event "), 1);
        check_int(count_of(text, "\"writer\" and more like it, x 299 in all: waits for semaphore "), 1);
        check_int(count_of(text, "\"writer\" and more like it, x 8 in all: waits for semaphore "), 1);
        check_int(count_of(text, " and others, up to "), 2); /* each its own scope; the event is the same for all */
        free(text);
    }
}

TEST(dump, of_trees_that_are_alike_json_has_each_task_counted_once) {
    char *text = text_of_grove(2, FILCH_DUMP_JSON);
    check_int(count_of(text, "\"count\":"), 7);
    check_int(sum_of(text, "\"count\":"), 1 + 4 * 299 + 5 * 8);
    check_int(count_of(text, "\"objects_differ\":true"), 2);
    free(text);
}

/* ---------------------------------------------------------------------------------------------------------------- names */

struct naming {
    struct scene scene;
    const char *name;
};

static int dump_a_name(void *arg) {
    struct naming *naming = arg;
    filch_task *task;
    FILE *file = tmpfile();
    check(file != NULL);
    check_int(filch_spawn(&task, wait_for_the_end, &naming->scene, &(filch_task_options){.name = naming->name}), 0);
    check_int(filch_dump(fileno(file), NULL, naming->scene.options), 2);
    naming->scene.text = text_of(file);
    filch_event_set(&naming->scene.over);
    return filch_await(task, NULL, FILCH_NEVER);
}

static void check_name(filch_dump_format format, const char *name, const char *expected) {
    filch_dump_options options = {.format = format, .no_running = true, .no_backtraces = true};
    struct naming naming = {.scene.options = &options, .name = name};
    filch_event_init(&naming.scene.over);
    check_int(filch_run(dump_a_name, &naming, &(filch_options){.workers = 1, .name = "fourteen bytes\xc3\xa4"}), 0);
    check(strstr(naming.scene.text, expected) != NULL);
    const char *runtime =
        format == FILCH_DUMP_JSON ? "\"name\":\"fourteen bytes\"," : " \"fourteen bytes\": 1 worker, 2 tasks\n";
    check(strstr(naming.scene.text, runtime) != NULL);
    free(naming.scene.text);
}

TEST(dump, names_of_any_bytes_make_no_bad_text) {
    static const char cut[] = "x 23456789 23456789 23456789 2\xc3\xa4 and more"; /* 31 bytes would cut a character */
    check_name(FILCH_DUMP_TEXT, cut, " \"x 23456789 23456789 23456789 2\"");
    check_name(FILCH_DUMP_JSON, cut, "\"name\":\"x 23456789 23456789 23456789 2\"");
    check_name(FILCH_DUMP_TEXT, "\xe2\x82\xac bad \xfe\xc3\n\"\\", " \"\xe2\x82\xac bad ?????\"");
    check_name(FILCH_DUMP_JSON, "\xe2\x82\xac bad \xfe\xc3\n\"\\", "\"name\":\"\xe2\x82\xac bad ??\\u000a\\\"\\\\\"");
}

/* -------------------------------------------------------------------------------------------------------------- bounds */

TEST(dump, what_there_is_no_room_for_is_counted) {
    char *text = dump_with(2, &(filch_dump_options){.tasks_max = 3, .no_backtraces = true, .no_running = true});
    check(strstr(text, "and 100 more") != NULL);
    free(text);
}

TEST(dump, bad_arguments_are_answered) {
    check_int(filch_dump(1, NULL, &(filch_dump_options){.format = (filch_dump_format)7}), -EINVAL);
    check_int(filch_dump(1, NULL, &(filch_dump_options){.tasks_max = UINT32_MAX}), -EINVAL);
    check_int(filch_dump(STDERR_FILENO, NULL, NULL), 0); /* there is no runtime */
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_dump(-1, runtime, NULL), -EBADF);
    filch_runtime_destroy(runtime);
}

/* ------------------------------------------------------------------------------------------------------------- workers */

static char *dump_of(filch_runtime *runtime, filch_dump_format format) {
    FILE *file = tmpfile();
    check(file != NULL);
    const filch_dump_options options = {.format = format, .no_running = true};
    check(filch_dump(fileno(file), runtime, &options) >= 0);
    return text_of(file);
}

static void look_for_itself(void) {
    char line[96];
    char *text = dump_of(filch_runtime_current(), FILCH_DUMP_TEXT);
    snprintf(line, sizeof line, "worker 0: awake, runs task %p\n", (void *)filch_self());
    check_int(count_of(text, line), 1);
    free(text);
    text = dump_of(filch_runtime_current(), FILCH_DUMP_JSON);
    snprintf(line, sizeof line, "\"state\":\"awake\",\"polls\":false,\"task\":\"%p\"}", (void *)filch_self());
    check_int(count_of(text, line), 1);
    free(text);
}

static int look_in_and_out_of_scopes(void *arg) {
    filch_scope scope;
    (void)arg;
    look_for_itself();
    check_int(filch_scope_open(&scope, NULL), 0);
    look_for_itself();
    check_int(filch_scope_close(&scope), 0);
    return 0;
}

TEST(dump, of_a_worker_that_runs_a_task_tells_which) {
    check_int(filch_run(look_in_and_out_of_scopes, NULL, &(filch_options){.workers = 1}), 0);
}

TEST(dump, of_workers_that_have_nothing_to_do_tells_no_task) {
    enum { WORKERS = 3 };
    unsigned asleep = 0;
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = WORKERS}), 0);
    while (asleep < WORKERS) {
        char *text = dump_of(runtime, FILCH_DUMP_TEXT);
        check_int(count_of(text, "runs"), 0);
        asleep = count_of(text, ": asleep");
        check_int(asleep + count_of(text, ": awake, searches\n"), WORKERS);
        free(text);
    }
    filch_runtime_destroy(runtime);
}

/* ------------------------------------------------------------------------------------------- held by nobody in particular */

struct held {
    filch_rwlock rwlock;
    filch_mutex mutex;
    filch_sem sem, unbounded;
    filch_event over;
    atomic_uint have;
};

static int write_until_over(void *arg) {
    struct held *held = arg;
    check_int(filch_rwlock_write(&held->rwlock, FILCH_NEVER), 0);
    atomic_fetch_add(&held->have, 1);
    check_int(filch_event_wait(&held->over, FILCH_NEVER), 0);
    filch_rwlock_downgrade(&held->rwlock);
    filch_rwlock_read_unlock(&held->rwlock);
    return 0;
}

static int read_until_over(void *arg) {
    struct held *held = arg;
    check_int(filch_rwlock_read(&held->rwlock, FILCH_NEVER), 0);
    atomic_fetch_add(&held->have, 1);
    check_int(filch_event_wait(&held->over, FILCH_NEVER), 0);
    filch_rwlock_read_unlock(&held->rwlock);
    return 0;
}

static int write_it(void *arg) {
    struct held *held = arg;
    check_int(filch_rwlock_write(&held->rwlock, FILCH_NEVER), 0);
    filch_rwlock_write_unlock(&held->rwlock);
    return 0;
}

static int take_permits(void *arg) {
    struct held *held = arg;
    check_int(filch_sem_acquire_n(&held->sem, 2, FILCH_NEVER), 0);
    filch_sem_release_n(&held->sem, 2);
    check_int(filch_sem_acquire(&held->unbounded, FILCH_NEVER), 0);
    return 0;
}

static struct held *make_held(void) {
    struct held *held = calloc(1, sizeof *held);
    check(held != NULL);
    filch_rwlock_init(&held->rwlock);
    filch_mutex_init(&held->mutex);
    check_int(filch_sem_init(&held->sem, 3, 3), 0);
    check_int(filch_sem_init(&held->unbounded, 0, 0), 0);
    filch_event_init(&held->over);
    return held;
}

/* Dumps until one has `what`, for free(). */
static char *dump_until(filch_runtime *runtime, filch_dump_format format, const char *what) {
    for (;;) {
        char *text = dump_of(runtime, format);
        if (strstr(text, what) != NULL) return text;
        free(text);
        usleep(1000);
    }
}

static filch_runtime *runtime_of(unsigned workers, const char *debug) {
    filch_runtime *runtime;
    const filch_options options = {.workers = workers, .on_deadlock = FILCH_DEADLOCK_IGNORE, .debug = debug};
    check_int(filch_runtime_create(&runtime, &options), 0);
    return runtime;
}

static void spawn_named(filch_runtime *runtime, filch_fn *fn, void *arg, const char *name) {
    check_int(filch_runtime_spawn(runtime, NULL, fn, arg, &(filch_task_options){.name = name}), 0);
}

static void end_of_held(filch_runtime *runtime, struct held *held) {
    filch_event_set(&held->over);
    filch_runtime_destroy(runtime);
    filch_rwlock_fini(&held->rwlock);
    filch_mutex_fini(&held->mutex);
    filch_sem_fini(&held->sem);
    filch_sem_fini(&held->unbounded);
    free(held);
}

TEST(dump, of_who_waits_for_a_writer_names_it) {
    struct held *held = make_held();
    filch_runtime *runtime = runtime_of(2, NULL);
    spawn_named(runtime, write_until_over, held, "writer");
    while (atomic_load(&held->have) < 1) usleep(100);
    spawn_named(runtime, read_until_over, held, "reader");
    char *text = dump_until(runtime, FILCH_DUMP_TEXT, "\"reader\": waits for rwlock, to read 0x");
    check(strstr(text, ", held by task 0x") != NULL && strstr(text, " \"writer\"; spawned at ") != NULL);
    check(strstr(text, "DEADLOCK") == NULL);
    free(text);
    end_of_held(runtime, held);
}

static void look_at_readers(const char *debug, const char *what, const char *json) {
    struct held *held = make_held();
    filch_runtime *runtime = runtime_of(2, debug);
    spawn_named(runtime, read_until_over, held, "reader");
    spawn_named(runtime, read_until_over, held, "reader");
    while (atomic_load(&held->have) < 2) usleep(100);
    spawn_named(runtime, write_it, held, "wants to write");
    char *text = dump_until(runtime, FILCH_DUMP_TEXT, "waits for rwlock, to write 0x");
    check(strstr(text, what) != NULL);
    check((strstr(text, " \"reader\"; spawned at ") != NULL) == (debug != NULL));
    free(text);
    text = dump_until(runtime, FILCH_DUMP_JSON, "\"waits_for\":\"rwlock, to write\"");
    check(strstr(text, json) != NULL);
    free(text);
    end_of_held(runtime, held);
}

TEST(dump, of_who_waits_for_readers_counts_them_and_in_debug_mode_names_one) {
    look_at_readers(NULL, ", held by 2 readers; spawned at ", ",\"readers\":2,\"backtrace\"");
    look_at_readers("held", ", held by 2 readers, one of them task 0x", ",\"readers\":2,\"reader\":\"0x");
}

static int read_for_a_moment(void *arg) {
    struct held *held = arg;
    check_int(filch_rwlock_read(&held->rwlock, FILCH_NEVER), 0);
    filch_rwlock_read_unlock(&held->rwlock);
    atomic_fetch_add(&held->have, 1);
    return 0;
}

static int read_and_end(void *arg) {
    struct held *held = arg;
    check_int(filch_rwlock_read(&held->rwlock, FILCH_NEVER), 0);
    atomic_fetch_add(&held->have, 1);
    return 0;
}

static void look_at_one_reader(bool ends, const char *what) {
    struct held *held = make_held();
    filch_runtime *runtime = runtime_of(1, "held");
    check_int(filch_rwlock_try_read(&held->rwlock), 0);
    spawn_named(runtime, read_for_a_moment, held, "brief");
    if (ends) spawn_named(runtime, read_and_end, held, "careless");
    while (atomic_load(&held->have) < (ends ? 2 : 1)) usleep(100);
    if (ends) filch_rwlock_read_unlock(&held->rwlock);
    spawn_named(runtime, write_it, held, "wants to write");
    char *text = dump_until(runtime, FILCH_DUMP_TEXT, "waits for rwlock, to write 0x");
    check(strstr(text, what) != NULL && strstr(text, "brief") == NULL);
    free(text);
    filch_rwlock_read_unlock(&held->rwlock);
    end_of_held(runtime, held);
}

TEST(dump, names_no_reader_that_has_unlocked) {
    look_at_one_reader(false, ", held by 1 reader; spawned at ");
}

TEST(dump, names_a_reader_that_has_ended_without) {
    look_at_one_reader(true, ", held by 1 reader, task 0x");
}

TEST(dump, of_who_waits_at_a_semaphore_tells_what_is_left) {
    struct held *held = make_held();
    filch_runtime *runtime = runtime_of(1, NULL);
    check_int(filch_sem_try_acquire_n(&held->sem, 2), 0);
    spawn_named(runtime, take_permits, held, "taker");
    free(dump_until(runtime, FILCH_DUMP_TEXT, ", which has 1 permit left of 3; spawned at "));
    free(dump_until(runtime, FILCH_DUMP_JSON, ",\"permits\":1,\"permits_limit\":3,"));
    filch_sem_release_n(&held->sem, 2);
    free(dump_until(runtime, FILCH_DUMP_TEXT, ", which has 0 permits left; spawned at "));
    filch_sem_release(&held->unbounded);
    end_of_held(runtime, held);
}

static int write_then_lock(void *arg) {
    struct held *held = arg;
    check_int(filch_rwlock_write(&held->rwlock, FILCH_NEVER), 0);
    atomic_fetch_add(&held->have, 1);
    while (atomic_load(&held->have) < 2) filch_yield();
    int error = filch_mutex_lock(&held->mutex, FILCH_NEVER);
    check(error == 0 || error == -ECANCELED); /* who is cancelled second is given what the first gives up */
    if (error == 0) filch_mutex_unlock(&held->mutex);
    filch_rwlock_write_unlock(&held->rwlock);
    return 0;
}

static int lock_then_read(void *arg) {
    struct held *held = arg;
    check_int(filch_mutex_lock(&held->mutex, FILCH_NEVER), 0);
    atomic_fetch_add(&held->have, 1);
    while (atomic_load(&held->have) < 2) filch_yield();
    int error = filch_rwlock_read(&held->rwlock, FILCH_NEVER);
    check(error == 0 || error == -ECANCELED);
    if (error == 0) filch_rwlock_read_unlock(&held->rwlock);
    filch_mutex_unlock(&held->mutex);
    return 0;
}

TEST(dump, of_a_circle_of_a_writers_lock_and_a_mutex_tells_it) {
    struct held *held = make_held();
    filch_runtime *runtime = runtime_of(2, NULL);
    spawn_named(runtime, write_then_lock, held, "writer");
    spawn_named(runtime, lock_then_read, held, "locker");
    char *text = dump_until(runtime, FILCH_DUMP_TEXT, "DEADLOCK");
    check(strstr(text, "\"locker\" waits for rwlock, to read 0x") != NULL);
    free(text);
    filch_runtime_cancel(runtime);
    end_of_held(runtime, held);
}

static int lock_until_over(void *arg) {
    struct held *held = arg;
    check_int(filch_mutex_lock(&held->mutex, FILCH_NEVER), 0);
    atomic_fetch_add(&held->have, 1);
    check_int(filch_event_wait(&held->over, FILCH_NEVER), 0);
    filch_mutex_unlock(&held->mutex);
    return 0;
}

static int lock_what_its_child_holds(void *arg) {
    struct held *held = arg;
    filch_frame frame;
    filch_fork(&frame, lock_until_over, held);
    while (atomic_load(&held->have) < 1) usleep(100); /* until another worker has taken the call */
    check_int(filch_mutex_lock(&held->mutex, FILCH_NEVER), 0);
    filch_mutex_unlock(&held->mutex);
    return filch_join(&frame);
}

TEST(dump, of_who_waits_for_its_own_child_tells_no_deadlock) {
    struct held *held = make_held();
    filch_runtime *runtime = runtime_of(2, NULL);
    spawn_named(runtime, lock_what_its_child_holds, held, "parent");
    char *text = dump_until(runtime, FILCH_DUMP_TEXT, "\"parent\": waits for mutex 0x");
    check(strstr(text, ", held by task 0x") != NULL && strstr(text, "DEADLOCK") == NULL);
    free(text);
    end_of_held(runtime, held);
}

/* ---------------------------------------------------------------------------------- holders that are somewhere else */

struct keeping {
    filch_mutex mutex;
    filch_event go, kept, over;
};

static void keeping_init(struct keeping *keeping) {
    filch_mutex_init(&keeping->mutex);
    filch_event_init(&keeping->go);
    filch_event_init(&keeping->kept);
    filch_event_init(&keeping->over);
}

static int keep(void *arg) {
    struct keeping *keeping = arg;
    check_int(filch_mutex_lock(&keeping->mutex, FILCH_NEVER), 0);
    filch_event_set(&keeping->kept);
    check_int(filch_event_wait(&keeping->over, FILCH_NEVER), 0);
    filch_mutex_unlock(&keeping->mutex);
    return 0;
}

static int keep_for_good(void *arg) {
    return filch_mutex_lock(&((struct keeping *)arg)->mutex, FILCH_NEVER);
}

/* Begun before the others, so that it has a record of its own. */
static int want(void *arg) {
    struct keeping *keeping = arg;
    check_int(filch_event_wait(&keeping->go, FILCH_NEVER), 0);
    int error = filch_mutex_lock(&keeping->mutex, FILCH_NEVER);
    if (error == 0) filch_mutex_unlock(&keeping->mutex);
    return error;
}

static int is_at_mutex(const filch_task_info *info, void *arg) {
    (void)arg;
    return info->state == FILCH_TASK_WAITING && strcmp(info->reason, "mutex") == 0;
}

/* Has `wanter` come to the mutex, and tells what is said of it. */
static void check_keeper(filch_runtime *runtime, struct keeping *keeping, const char *text, const char *json) {
    filch_event_set(&keeping->go);
    while (filch_task_each(runtime, is_at_mutex, NULL) == 0) usleep(100);
    char *said = dump_of(runtime, FILCH_DUMP_TEXT);
    check(strstr(said, ": waits for mutex ") != NULL);
    check(strstr(said, text) != NULL);
    free(said);
    said = dump_of(runtime, FILCH_DUMP_JSON);
    check(strstr(said, json) != NULL);
    free(said);
}

static filch_runtime *runtime_named(const char *name) {
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1, .name = name}), 0);
    return runtime;
}

static filch_task *task_of(filch_runtime *runtime, filch_fn *fn, struct keeping *keeping, const char *name) {
    filch_task *task;
    check_int(filch_runtime_spawn(runtime, &task, fn, keeping, &(filch_task_options){.name = name}), 0);
    return task;
}

static int await_result(filch_task *task) {
    int result = -1;
    check_int(filch_await(task, &result, FILCH_NEVER), 0);
    return result;
}

TEST(dump, of_a_holder_in_another_runtime_tells_which) {
    struct keeping keeping;
    keeping_init(&keeping);
    filch_runtime *one = runtime_named("one"), *two = runtime_named("two");
    filch_task *wanter = task_of(one, want, &keeping, "wanter"), *keeper = task_of(two, keep, &keeping, "keeper");
    check_int(filch_event_wait(&keeping.kept, FILCH_NEVER), 0);
    check_keeper(one, &keeping, " \"keeper\" of runtime \"two\"; spawned at ",
                 ",\"holder_name\":\"keeper\",\"holder_runtime\":\"two\"");
    filch_event_set(&keeping.over);
    check_int(await_result(keeper), 0);
    check_int(await_result(wanter), 0);
    check_int(filch_runtime_destroy(two), 0);
    check_int(filch_runtime_destroy(one), 0);
}

TEST(dump, of_a_holder_that_has_ended_tells_that) {
    struct keeping keeping;
    keeping_init(&keeping);
    filch_runtime *one = runtime_named("one");
    filch_task *wanter = task_of(one, want, &keeping, "wanter");
    check_int(await_result(task_of(one, keep_for_good, &keeping, "keeper")), 0);
    check_keeper(one, &keeping, ", which has ended; spawned at ", ",\"holder_ended\":true");
    filch_task_cancel(wanter);
    check_int(await_result(wanter), -ECANCELED);
    check_int(filch_runtime_destroy(one), 0);
}

TEST(dump, of_a_holder_whose_runtime_has_ended_tells_no_name) {
    struct keeping keeping;
    keeping_init(&keeping);
    filch_runtime *one = runtime_named("one"), *two = runtime_named("two");
    filch_task *wanter = task_of(one, want, &keeping, "wanter");
    check_int(await_result(task_of(two, keep_for_good, &keeping, "keeper")), 0);
    check_int(filch_runtime_destroy(two), 0);
    check_keeper(one, &keeping, ", of no runtime that is there; spawned at ", ",\"held_by\":\"0x");
    filch_task_cancel(wanter);
    check_int(await_result(wanter), -ECANCELED);
    check_int(filch_runtime_destroy(one), 0);
}

TEST(dump, of_a_thread_that_holds_tells_that) {
    struct keeping keeping;
    keeping_init(&keeping);
    filch_runtime *one = runtime_named("one");
    check_int(filch_mutex_lock(&keeping.mutex, FILCH_NEVER), 0);
    filch_task *wanter = task_of(one, want, &keeping, "wanter");
    check_keeper(one, &keeping, ", held by a thread; spawned at ", ",\"held_by_thread\":true");
    filch_mutex_unlock(&keeping.mutex);
    check_int(await_result(wanter), 0);
    check_int(filch_runtime_destroy(one), 0);
}

/* ---------------------------------------------------------------------------------------------------------- the signal */

/* Runs `fn` in a child whose standard error is read; its exit status is in `*status`. */
static char *errors_of(void (*fn)(void), int *status) {
    FILE *file = tmpfile();
    check(file != NULL);
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        dup2(fileno(file), STDERR_FILENO);
        fn();
        _exit(0);
    }
    check_int(waitpid(child, status, 0), child);
    char *text = text_of(file);
    if (WIFEXITED(*status) && WEXITSTATUS(*status) != 0) fputs(text, stderr);
    return text;
}

/*
 * Holds its worker until the dump, which is asked for meanwhile, has been written. ThreadSanitizer calls handlers of signals
 * only where it knows of a call.
 */
static int hold_the_worker(void *arg) {
    off_t size = lseek(STDERR_FILENO, 0, SEEK_END);
    (void)arg;
    kill(getpid(), SIGQUIT);
    while (lseek(STDERR_FILENO, 0, SEEK_END) == size) usleep(100);
    return 0;
}

static void quit_while_all_is_held(void) {
    if (filch_run(hold_the_worker, NULL, &(filch_options){.workers = 1}) != 0) _exit(1);
}

TEST(dump, the_signal_is_served_while_the_only_worker_is_held) {
    int status;
    char *text = errors_of(quit_while_all_is_held, &status);
    check_int(status, 0);
    check(strstr(text, "\"main\": runs, or can") != NULL);
    free(text);
}

static void count_quit(int number) {
    (void)number;
    static const char line[] = "the program's own\n";
    ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
    (void)ignored;
}

static int raise_quit(void *arg) {
    (void)arg;
    return kill(getpid(), SIGQUIT) == 0 ? filch_sleep(FILCH_MS(5)) : 1;
}

static void quit_with_a_handler(void) {
    signal(SIGQUIT, count_quit);
    if (filch_run(raise_quit, NULL, NULL) != 0) _exit(1);
}

TEST(dump, a_handler_of_the_programs_own_is_left_alone) {
    int status;
    char *text = errors_of(quit_with_a_handler, &status);
    check_int(status, 0);
    check(strcmp(text, "the program's own\n") == 0);
    free(text);
}

static int do_nothing(void *arg) {
    (void)arg;
    return 0;
}

static void quit_after_the_last(void) {
    for (int i = 0; i < 2; i++) {
        if (filch_run(do_nothing, NULL, &(filch_options){.workers = 1}) != 0) _exit(1);
    }
    raise(SIGQUIT);
}

TEST(dump, after_the_last_runtime_the_signal_ends_the_process) {
    int status;
    free(errors_of(quit_after_the_last, &status));
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
}

static void quit_between_two(void) {
    filch_runtime *one = runtime_named("one"), *two = runtime_named("two");
    if (filch_runtime_destroy(one) != 0) _exit(1);
    off_t size = lseek(STDERR_FILENO, 0, SEEK_END);
    raise(SIGQUIT);
    while (lseek(STDERR_FILENO, 0, SEEK_END) == size) usleep(100);
    if (filch_runtime_destroy(two) != 0) _exit(1);
}

TEST(dump, after_one_of_two_runtimes_the_other_answers_the_signal) {
    int status;
    char *text = errors_of(quit_between_two, &status);
    check_int(status, 0);
    check(strstr(text, " \"two\": 1 worker, 0 tasks\n") != NULL);
    free(text);
}

static int install_a_handler(void *arg) {
    (void)arg;
    signal(SIGQUIT, count_quit);
    return 0;
}

static void quit_with_a_later_handler(void) {
    if (filch_run(install_a_handler, NULL, NULL) != 0) _exit(1);
    raise(SIGQUIT);
}

TEST(dump, a_handler_that_the_program_installs_later_stays) {
    int status;
    char *text = errors_of(quit_with_a_later_handler, &status);
    check_int(status, 0);
    check(strcmp(text, "the program's own\n") == 0);
    free(text);
}

static int fork_and_quit(void *arg) {
    int status;
    (void)arg;
    pid_t child = fork();
    if (child == 0) {
        raise(SIGQUIT);
        _exit(3);
    }
    check(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT ? 0 : 1;
}

TEST(dump, a_child_of_a_fork_ends_by_the_signal) {
    check_int(filch_run(fork_and_quit, NULL, &(filch_options){.workers = 1}), 0);
}

static void quit_without_a_monitor(void) {
    if (filch_run(raise_quit, NULL, &(filch_options){.no_monitor = true}) != 0) _exit(1);
    if (filch_run(raise_quit, NULL, &(filch_options){.simulation = &(filch_simulation){.seed = 1}}) != 0) _exit(1);
}

TEST(dump, the_signal_says_so_where_no_monitor_is_there) {
    int status;
    char *text = errors_of(quit_without_a_monitor, &status);
    check_int(status, 0);
    check_int(count_of(text, "filch: SIGQUIT: no dump, since no runtime has a monitor that would make it\n"), 2);
    free(text);
}

#if !defined(FILCH_ASAN) && !defined(FILCH_TSAN)

static int quit_without_memory(void *arg) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1) return 1;
    fclose(file);
    struct rlimit limit = {pages * (unsigned long)getpagesize() + (1 << 20), RLIM_INFINITY};
    return setrlimit(RLIMIT_AS, &limit) == 0 ? hold_the_worker(arg) : 1;
}

static void run_without_memory(void) {
    if (filch_run(quit_without_memory, NULL, &(filch_options){.workers = 1}) != 0) _exit(1);
}

TEST(dump, the_signal_says_so_where_there_is_no_memory) {
    int status;
    char *text = errors_of(run_without_memory, &status);
    check_int(status, 0);
    check(strcmp(text, "filch: SIGQUIT: no memory for the dump of 1 task (-12)\n") == 0);
    free(text);
}

#endif

static void quit_as_by_default(void) {
    setenv("FILCH_DEBUG", "noquit", 1);
    (void)filch_run(raise_quit, NULL, NULL);
}

TEST(dump, who_does_not_want_it_dies_of_the_signal) {
    int status;
    free(errors_of(quit_as_by_default, &status));
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
}

/* ----------------------------------------------------------------------------------------------------------- deadlocks */

struct pair {
    filch_mutex one, other;
    filch_barrier both;
};

static int lock_crosswise(filch_mutex *first, filch_mutex *second, struct pair *pair) {
    int error = filch_mutex_lock(first, FILCH_NEVER);
    if (error == 0) error = filch_barrier_wait(&pair->both, FILCH_NEVER) < 0; /* each has its first */
    if (error == 0) error = filch_mutex_lock(second, filch_after(FILCH_SEC(3)));
    if (error == 0) filch_mutex_unlock(second);
    filch_mutex_unlock(first);
    return error;
}

static int lock_forwards(void *arg) {
    struct pair *pair = arg;
    return lock_crosswise(&pair->one, &pair->other, pair);
}

static int lock_backwards(void *arg) {
    struct pair *pair = arg;
    return lock_crosswise(&pair->other, &pair->one, pair);
}

/* A deadlock for two seconds: long enough to be found, unless somebody is very late; then the test waits for nothing. */
static int cross(void *arg) {
    (void)arg;
    struct pair pair;
    filch_task *tasks[2];
    filch_mutex_init(&pair.one);
    filch_mutex_init(&pair.other);
    if (filch_barrier_init(&pair.both, 2) != 0) return 1;
    if (filch_spawn(&tasks[0], lock_forwards, &pair, &(filch_task_options){.name = "forwards"}) != 0) return 1;
    if (filch_spawn(&tasks[1], lock_backwards, &pair, &(filch_task_options){.name = "backwards"}) != 0) return 1;
    for (int i = 0; i < 2; i++) {
        if (filch_await(tasks[i], NULL, FILCH_NEVER) != 0) return 1;
    }
    return 0;
}

static void cross_and_abort(void) {
    (void)filch_run(cross, NULL, &(filch_options){.workers = 2, .on_deadlock = FILCH_DEADLOCK_ABORT});
}

TEST_DIES(deadlock, of_two_mutexes_is_found, "\"backwards\" waits for mutex ") {
    for (;;) cross_and_abort();
}

/* All have been idle, and looked at, before they come to wait for one another. */
static int lock_late(void *arg) {
    struct pair *pair = arg;
    int error = filch_mutex_lock(&pair->one, FILCH_NEVER);
    if (error == 0) error = filch_barrier_wait(&pair->both, FILCH_NEVER) < 0;
    filch_sleep(FILCH_MS(150));
    if (error == 0) error = filch_mutex_lock(&pair->other, filch_after(FILCH_SEC(3)));
    if (error == 0) filch_mutex_unlock(&pair->other);
    filch_mutex_unlock(&pair->one);
    return error;
}

static int cross_late(void *arg) {
    (void)arg;
    struct pair pair;
    filch_task *tasks[2];
    filch_mutex_init(&pair.one);
    filch_mutex_init(&pair.other);
    if (filch_barrier_init(&pair.both, 2) != 0) return 1;
    if (filch_spawn(&tasks[0], lock_late, &pair, NULL) != 0) return 1;
    if (filch_spawn(&tasks[1], lock_backwards, &pair, NULL) != 0) return 1;
    for (int i = 0; i < 2; i++) {
        if (filch_await(tasks[i], NULL, FILCH_NEVER) != 0) return 1;
    }
    return 0;
}

TEST_DIES(deadlock, that_comes_when_all_had_been_idle_before_is_found, "DEADLOCK") {
    for (;;) {
        filch_options options = {.workers = 2, .on_deadlock = FILCH_DEADLOCK_ABORT};
        (void)filch_run(cross_late, NULL, &options);
    }
}

static void cross_and_ignore(void) {
    if (filch_run(cross, NULL, &(filch_options){.workers = 2, .on_deadlock = FILCH_DEADLOCK_IGNORE}) != 0) _exit(1);
}

TEST(deadlock, is_not_told_where_that_is_not_wanted) {
    int status;
    char *text = errors_of(cross_and_ignore, &status);
    check_int(status, 0);
    check(strcmp(text, "") == 0);
    free(text);
}

static int wait_in_vain(void *arg) {
    return filch_event_wait(arg, FILCH_NEVER) == -ECANCELED ? 0 : 1;
}

/* All tasks wait, and a thread from outside comes after a while. */
static void wait_for_a_thread(void) {
    filch_runtime *runtime;
    filch_event event = FILCH_EVENT_INIT;
    if (filch_runtime_create(&runtime, &(filch_options){.workers = 2}) != 0) _exit(1);
    if (filch_runtime_spawn(runtime, NULL, wait_in_vain, &event, NULL) != 0) _exit(1);
    usleep(300000);
    filch_runtime_cancel(runtime);
    filch_runtime_destroy(runtime);
}

TEST(deadlock, to_wait_for_a_thread_from_outside_is_none) {
    int status;
    char *text = errors_of(wait_for_a_thread, &status);
    check_int(status, 0);
    check(strcmp(text, "") == 0);
    free(text);
}

static int call_nobody(void *arg) {
    (void)arg;
    return 0;
}

/* The thread that has made the call stays for some seconds: only then it is certain that it wakes nobody. */
static int block_and_wait_in_vain(void *arg) {
    filch_event event = FILCH_EVENT_INIT;
    (void)arg;
    if (filch_blocking(call_nobody, NULL, NULL, FILCH_NEVER) != 0) return 1;
    return filch_event_wait(&event, FILCH_NEVER);
}

TEST_DIES(deadlock, after_a_blocking_call_is_found_when_its_thread_has_ended, "all tasks wait, for no timer") {
    setenv("FILCH_DEBUG", "deadlock", 1);
    (void)filch_run(block_and_wait_in_vain, NULL, &(filch_options){.on_deadlock = FILCH_DEADLOCK_ABORT});
}
