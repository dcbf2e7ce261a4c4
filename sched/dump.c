/* SPDX-License-Identifier: MIT */
/* Dumps: a snapshot as text or JSON. See filch/dump.h. */
#include <filch/dump.h>

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/place.h"
#include "base/utf8.h"
#include "sched/hog.h"
#include "sched/quit.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/snapshot.h"
#include "sched/words.h"

enum {
    TASKS_DEFAULT = 20000,
    TASKS_MAX = 1 << 24,
    INDENT_MAX = 32,
};

/* ------------------------------------------------------------------------------------------------------------- output */

#define say filch__json_say

/* A name, with nothing in it that would end a line or a string. */
static void say_clean(struct filch__json *out, const char *name) {
    char clean[32];
    filch__utf8_clean(clean, sizeof clean, name);
    say(out, "%s", clean);
}

/* ------------------------------------------------------------------------------------------------------------ workers */

static const char *const rest_names[] = {WORD_WORKER_AWAKE, WORD_WORKER_ASLEEP, WORD_WORKER_RETIRED};

/* What the worker writes by plain stores: a glance. */
FILCH__UNSEEN static void *region_at_a_glance(const struct filch__worker *worker) {
    return *(void *const volatile *)&worker->deque.hot.region;
}

/* What a worker does, at a glance; one that is awake and runs nothing searches, or is about to choose what it runs next. */
struct doing {
    uint32_t rests;
    bool runs;
    const struct filch_task *task; /* that it runs, if that could be seen; only printed */
};

/* A region stands on a stack, which may be gone when the worker goes on just now: it is read by means that can fail. */
static struct doing look_at_worker(const struct filch__worker *worker) {
    struct doing doing = {.rests = load_relaxed(&worker->rests)};
    void *word = doing.rests == RESTS_NOT ? region_at_a_glance(worker) : NULL;
    doing.runs = word != NULL;
    if (!region_is_open(word)) {
        doing.task = (const struct filch_task *)(void *)region_of(word);
        return doing;
    }
    struct filch_task *task = NULL;
    struct iovec to = {&task, sizeof task}, from = {&region_of(word)->task, sizeof task};
    bool seen = process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)sizeof task;
    if (seen && region_at_a_glance(worker) == word) doing.task = task;
    return doing;
}

static void text_workers(struct filch__json *out, struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        struct doing doing = look_at_worker(worker);
        say(out, "  %s %u: %s", i < runtime->worker_count ? "worker" : "spare", i, rest_names[doing.rests]);
        if (doing.rests == RESTS_ASLEEP && load_relaxed(&worker->polls)) say(out, " in the poller");
        if (doing.rests == RESTS_NOT && !doing.runs) say(out, ", searches");
        if (doing.task != NULL) say(out, ", runs task %p", (const void *)doing.task);
        if (doing.runs && doing.task == NULL) say(out, ", runs a task");
        if (load_relaxed(&worker->blocks)) say(out, ", blocked by its own account");
        say(out, "\n");
    }
}

static void json_workers(struct filch__json *out, struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    say(out, "\"workers\":[");
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        struct doing doing = look_at_worker(worker);
        say(out, "%s{\"worker\":%u,\"spare\":%s,\"state\":\"%s\",\"polls\":%s", i > 0 ? "," : "", i,
            i < runtime->worker_count ? "false" : "true", rest_names[doing.rests],
            load_relaxed(&worker->polls) ? "true" : "false");
        if (doing.rests == RESTS_NOT && !doing.runs) say(out, ",\"searches\":true");
        if (doing.task != NULL) say(out, ",\"task\":\"%p\"", (const void *)doing.task);
        say(out, "}");
    }
    say(out, "],");
}

/* -------------------------------------------------------------------------------------------------------------- tasks */

static const char *state_name(filch_task_state state) {
    return state == FILCH_TASK_READY     ? WORD_TASK_READY
           : state == FILCH_TASK_RUNNING ? WORD_TASK_RUNNING
                                         : WORD_TASK_WAITING;
}

static void text_holder(struct filch__json *out, const struct filch__snapshot *snapshot,
                        const struct filch__seen *seen) {
    if (seen->by_thread) say(out, ", held by a thread");
    if (seen->holds == NULL || strcmp(seen->info.reason, "await") == 0) return;
    bool is_seen = seen->waits_for != SNAPSHOT_NONE;
    say(out, ", held by task %p", (const void *)seen->holds);
    if (is_seen || seen->holder == HOLDER_LIVES) {
        say(out, " \"");
        say_clean(out, is_seen ? snapshot->tasks[seen->waits_for].info.name : seen->holder_name);
        say(out, "\"");
    }
    if (seen->holder == HOLDER_LIVES && seen->holder_runtime[0] != '\0') {
        say(out, " of runtime \"");
        say_clean(out, seen->holder_runtime);
        say(out, "\"");
    }
    if (seen->holder == HOLDER_ENDED) say(out, ", which has ended");
    if (seen->holder == HOLDER_UNKNOWN) say(out, ", of no runtime that is there");
}

static void json_holder(struct filch__json *out, const struct filch__seen *seen) {
    if (seen->by_thread) say(out, ",\"held_by_thread\":true");
    if (seen->holds == NULL) return;
    say(out, ",\"held_by\":\"%p\"", (const void *)seen->holds);
    if (seen->holder == HOLDER_ENDED) say(out, ",\"holder_ended\":true");
    if (seen->holder != HOLDER_LIVES) return;
    say(out, ",\"holder_name\":");
    filch__json_string(out, seen->holder_name);
    if (seen->holder_runtime[0] == '\0') return;
    say(out, ",\"holder_runtime\":");
    filch__json_string(out, seen->holder_runtime);
}

static void text_counts(struct filch__json *out, const struct filch__counts *counts) {
    if (counts->readers > 0) say(out, ", held by %u reader%s", counts->readers, counts->readers == 1 ? "" : "s");
    if (counts->reader != NULL) {
        say(out, "%s task %p \"", counts->readers == 1 ? "," : ", one of them", counts->reader);
        say_clean(out, counts->reader_name);
        say(out, "\"");
    }
    if (counts->limit > 0) say(out, ", which has %zu permit%s left", counts->permits, counts->permits == 1 ? "" : "s");
    if (counts->limit > 0 && counts->limit < SIZE_MAX) say(out, " of %zu", counts->limit);
}

static void json_counts(struct filch__json *out, const struct filch__counts *counts) {
    if (counts->readers > 0) say(out, ",\"readers\":%u", counts->readers);
    if (counts->reader != NULL) say(out, ",\"reader\":\"%p\"", counts->reader);
    if (counts->limit > 0) say(out, ",\"permits\":%zu", counts->permits);
    if (counts->limit > 0 && counts->limit < SIZE_MAX) say(out, ",\"permits_limit\":%zu", counts->limit);
}

static void text_task(struct filch__json *out, const struct filch__snapshot *snapshot, const struct filch__seen *seen,
                      int indent) {
    const filch_task_info *info = &seen->info;
    char place[PLACE_SIZE];
    say(out, "%*stask %p \"", indent, "", (const void *)info->task);
    say_clean(out, info->name);
    say(out, "\"%s", seen->alike > 1 ? " and more like it" : "");
    if (seen->alike > 1) say(out, ", x %u in all", seen->alike);
    say(out, ": %s", state_name(info->state));
    if (info->state == FILCH_TASK_WAITING) {
        say(out, " for %s %p%s, %s %.3f s", info->reason, info->object, seen->objects_differ ? " and others" : "",
            seen->alike > 1 ? "up to" : "for", (double)info->waiting_ns / 1e9);
    }
    text_holder(out, snapshot, seen);
    text_counts(out, &seen->counts);
    filch__place_write(info->spawned_at, place);
    say(out, "%s; spawned at %s\n", info->cancelled ? ", cancelled" : "", place);
    for (uint32_t i = 0; i < seen->depth; i++) {
        filch__place_write(seen->frames[i], place);
        say(out, "%*s  %s\n", indent, "", place);
    }
}

static void json_task(struct filch__json *out, const struct filch__snapshot *snapshot, const struct filch__seen *seen) {
    const filch_task_info *info = &seen->info;
    char place[PLACE_SIZE];
    (void)snapshot;
    say(out, "{\"task\":\"%p\",\"name\":", (const void *)info->task);
    filch__json_string(out, info->name);
    filch__place_write(info->spawned_at, place);
    say(out, ",\"count\":%u,\"state\":\"%s\",\"cancelled\":%s,\"spawned_at\":", seen->alike, state_name(info->state),
        info->cancelled ? "true" : "false");
    filch__json_string(out, place);
    if (seen->scope != NULL) say(out, ",\"scope\":\"%p\",\"opened_by\":\"%p\"", seen->scope, (const void *)seen->host);
    if (info->state == FILCH_TASK_WAITING) {
        say(out, ",\"waits_for\":\"%s\",\"object\":\"%p\",\"waiting_ns\":%lld", info->reason, info->object,
            (long long)info->waiting_ns);
    }
    if (seen->objects_differ) say(out, ",\"objects_differ\":true");
    json_holder(out, seen);
    json_counts(out, &seen->counts);
    say(out, ",\"backtrace\":[");
    for (uint32_t i = 0; i < seen->depth; i++) {
        filch__place_write(seen->frames[i], place);
        if (i > 0) say(out, ",");
        filch__json_string(out, place);
    }
    say(out, "]}");
}

/* The next of a walk that comes by each task before its children; the depth goes with it. */
static uint32_t next_of(const struct filch__snapshot *snapshot, uint32_t at, int *depth) {
    const struct filch__seen *tasks = snapshot->tasks;
    if (tasks[at].child != SNAPSHOT_NONE) {
        ++*depth;
        return tasks[at].child;
    }
    while (at != SNAPSHOT_NONE && tasks[at].next == SNAPSHOT_NONE) {
        at = tasks[at].parent;
        --*depth;
    }
    return at == SNAPSHOT_NONE ? SNAPSHOT_NONE : tasks[at].next;
}

static void text_tree(struct filch__json *out, const struct filch__snapshot *snapshot) {
    int depth = 0;
    for (uint32_t at = snapshot->first; at != SNAPSHOT_NONE; at = next_of(snapshot, at, &depth)) {
        int indent = 2 + 2 * (depth < INDENT_MAX ? depth : INDENT_MAX);
        if (snapshot->tasks[at].alike > 0) text_task(out, snapshot, &snapshot->tasks[at], indent);
    }
    if (snapshot->left_out > 0) say(out, "  and %llu more\n", (unsigned long long)snapshot->left_out);
}

static void json_list(struct filch__json *out, const struct filch__snapshot *snapshot) {
    bool first = true;
    for (uint32_t i = 0; i < snapshot->count; i++) {
        if (snapshot->tasks[i].alike == 0) continue;
        if (!first) say(out, ",");
        first = false;
        json_task(out, snapshot, &snapshot->tasks[i]);
    }
}

/* ------------------------------------------------------------------------------------------------------------ cycles */

static void text_cycle(struct filch__json *out, const struct filch__snapshot *snapshot) {
    uint32_t at, length = filch__snapshot_cycle(snapshot, &at);
    if (length == 0) return;
    say(out, "  DEADLOCK: each of these waits for the next, and the last for the first:\n");
    for (; length > 0; length--, at = snapshot->tasks[at].waits_for) {
        const filch_task_info *info = &snapshot->tasks[at].info;
        say(out, "    task %p \"", (const void *)info->task);
        say_clean(out, info->name);
        say(out, "\" waits for %s %p\n", info->reason, info->object);
    }
}

/* ----------------------------------------------------------------------------------------------------------- runtimes */

static void text_runtime(struct filch__json *out, struct filch_runtime *runtime, struct filch__snapshot *snapshot) {
    say(out, "filch: runtime %p \"", (void *)runtime);
    say_clean(out, runtime->name);
    unsigned long long tasks = snapshot->count + snapshot->left_out;
    say(out, "\": %u worker%s, %llu task%s\n", runtime->worker_count, runtime->worker_count == 1 ? "" : "s", tasks,
        tasks == 1 ? "" : "s");
    text_workers(out, runtime);
    text_cycle(out, snapshot);
    text_tree(out, snapshot);
}

static void json_runtime(struct filch__json *out, struct filch_runtime *runtime, struct filch__snapshot *snapshot) {
    say(out, "{\"runtime\":\"%p\",\"name\":", (void *)runtime);
    filch__json_string(out, runtime->name);
    say(out, ",\"left_out\":%llu,", (unsigned long long)snapshot->left_out);
    json_workers(out, runtime);
    say(out, "\"tasks\":[");
    json_list(out, snapshot);
    say(out, "]}");
}

struct dump {
    struct filch__json *out;
    const filch_dump_options *options;
    uint64_t tasks;
    unsigned runtimes;
};

static int dump_one(struct filch_runtime *runtime, void *argument) {
    struct dump *dump = argument;
    struct filch__snapshot snapshot;
    uint32_t room = dump->options->tasks_max == 0 ? TASKS_DEFAULT : dump->options->tasks_max;
    int error = filch__snapshot_take(&snapshot, runtime, room, !dump->options->no_backtraces);
    if (error != 0) return error;
    filch__snapshot_fold(&snapshot);
    if (dump->options->format == FILCH_DUMP_JSON) {
        if (dump->runtimes > 0) say(dump->out, ",");
        json_runtime(dump->out, runtime, &snapshot);
    } else {
        text_runtime(dump->out, runtime, &snapshot);
    }
    dump->tasks += snapshot.count + snapshot.left_out;
    dump->runtimes++;
    filch__snapshot_drop(&snapshot);
    return 0;
}

/* Those that run tell of themselves, on standard error. */
static int tell_of_running(struct filch_runtime *runtime, void *argument) {
    (void)argument;
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        if (load_relaxed(&worker->rests) == RESTS_NOT && !worker->simulated) filch__worker_tell(worker);
    }
    return 0;
}

static int for_one_or_all(struct filch_runtime *runtime, int (*call)(struct filch_runtime *runtime, void *arg),
                          void *arg) {
    return runtime != NULL ? call(runtime, arg) : filch__runtimes_each(call, arg);
}

int filch_dump(int fd, filch_runtime *runtime, const filch_dump_options *options) {
    static const filch_dump_options defaults;
    if (options == NULL) options = &defaults;
    if ((unsigned)options->format > FILCH_DUMP_JSON || options->tasks_max > TASKS_MAX) return -EINVAL;
    if (runtime != NULL && filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    struct filch__json out = {.fd = fd};
    struct dump dump = {.out = &out, .options = options};
    bool json = options->format == FILCH_DUMP_JSON;
    if (json) say(&out, "[");
    int error = for_one_or_all(runtime, dump_one, &dump);
    if (json) say(&out, "]\n");
    filch__json_flush(&out);
    if (error == 0) error = out.error;
    if (error != 0) return error;
    if (!options->no_running && !options->no_backtraces) (void)for_one_or_all(runtime, tell_of_running, NULL);
    return dump.tasks > INT32_MAX ? INT32_MAX : (int)dump.tasks;
}
