/* SPDX-License-Identifier: MIT */
/* Dumps: a snapshot as text or JSON. See filch/dump.h. */
#include <filch/dump.h>

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/place.h"
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
    for (; *name != '\0'; name++) {
        char letter = (unsigned char)*name < ' ' || *name == '"' || *name == '\\' ? '?' : *name;
        filch__json_put(out, &letter, 1);
    }
}

/* ------------------------------------------------------------------------------------------------------------ workers */

static const char *const rest_names[] = {WORD_WORKER_AWAKE, WORD_WORKER_ASLEEP, WORD_WORKER_RETIRED};

/* What the worker writes by plain stores: a glance, which is only compared and printed. */
FILCH__UNSEEN static const struct filch_task *runs(const struct filch__worker *worker) {
    void *word = *(void *const volatile *)&worker->deque.hot.region;
    return region_is_open(word) ? NULL : (const struct filch_task *)(void *)region_of(word);
}

static void text_workers(struct filch__json *out, struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        uint32_t rest = load_relaxed(&worker->rests);
        say(out, "  %s %u: %s", i < runtime->worker_count ? "worker" : "spare", i, rest_names[rest]);
        if (rest == RESTS_ASLEEP && load_relaxed(&worker->polls)) say(out, " in the poller");
        if (rest == RESTS_NOT && runs(worker) != NULL) say(out, ", runs task %p", (const void *)runs(worker));
        if (load_relaxed(&worker->blocks)) say(out, ", blocked by its own account");
        say(out, "\n");
    }
}

static void json_workers(struct filch__json *out, struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    say(out, "\"workers\":[");
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        say(out, "%s{\"worker\":%u,\"spare\":%s,\"state\":\"%s\",\"polls\":%s", i > 0 ? "," : "", i,
            i < runtime->worker_count ? "false" : "true", rest_names[load_relaxed(&worker->rests)],
            load_relaxed(&worker->polls) ? "true" : "false");
        if (runs(worker) != NULL) say(out, ",\"task\":\"%p\"", (const void *)runs(worker));
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

/* The name of the task that holds what this one waits for, if it is in the snapshot. */
static const char *holder_name(const struct filch__snapshot *snapshot, const struct filch__seen *seen) {
    return seen->waits_for == SNAPSHOT_NONE ? "" : snapshot->tasks[seen->waits_for].info.name;
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
        say(out, " for %s %p, %s %.3f s", info->reason, info->object, seen->alike > 1 ? "up to" : "for",
            (double)info->waiting_ns / 1e9);
    }
    if (seen->holds != NULL && strcmp(info->reason, "await") != 0) {
        say(out, ", held by task %p \"", (const void *)seen->holds);
        say_clean(out, holder_name(snapshot, seen));
        say(out, "\"");
    }
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
    say(out, "{\"task\":\"%p\",\"name\":\"", (const void *)info->task);
    say_clean(out, info->name);
    filch__place_write(info->spawned_at, place);
    say(out, "\",\"count\":%u,\"state\":\"%s\",\"cancelled\":%s,\"spawned_at\":\"%s\"", seen->alike,
        state_name(info->state), info->cancelled ? "true" : "false", place);
    if (seen->scope != NULL) say(out, ",\"scope\":\"%p\",\"opened_by\":\"%p\"", seen->scope, (const void *)seen->host);
    if (info->state == FILCH_TASK_WAITING) {
        say(out, ",\"waits_for\":\"%s\",\"object\":\"%p\",\"waiting_ns\":%lld", info->reason, info->object,
            (long long)info->waiting_ns);
    }
    if (seen->holds != NULL) say(out, ",\"held_by\":\"%p\"", (const void *)seen->holds);
    say(out, ",\"backtrace\":[");
    for (uint32_t i = 0; i < seen->depth; i++) {
        filch__place_write(seen->frames[i], place);
        say(out, "%s\"%s\"", i > 0 ? "," : "", place);
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
    say(out, "\": %u workers, %llu tasks\n", runtime->worker_count,
        (unsigned long long)(snapshot->count + snapshot->left_out));
    text_workers(out, runtime);
    text_cycle(out, snapshot);
    text_tree(out, snapshot);
}

static void json_runtime(struct filch__json *out, struct filch_runtime *runtime, struct filch__snapshot *snapshot) {
    say(out, "{\"runtime\":\"%p\",\"name\":\"", (void *)runtime);
    say_clean(out, runtime->name);
    say(out, "\",\"left_out\":%llu,", (unsigned long long)snapshot->left_out);
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
