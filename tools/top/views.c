/* SPDX-License-Identifier: MIT */
#include "tools/top/views.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT_MAX = 64 };

const char *const sort_names[SORT_SORTS] = {"waiting", "state", "name", "count"};

/* 9998 as "9,998". */
static const char *grouped(uint64_t number, char text[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static const char *plural(uint64_t number) {
    return number == 1 ? "" : "s";
}

void view_runtime(struct lines *lines, const struct model *model, const struct model_runtime *runtime) {
    char tasks[32];
    lines_new(lines, "runtime %#" PRIx64 " ", runtime->address);
    lines_add_name(lines, runtime->name);
    lines_add(lines, " of %s %d (%s): %" PRIu32 " worker%s", model->target->core ? "the core of process" : "process",
              model->target->process, model->target->name, runtime->worker_count, plural(runtime->worker_count));
    if (runtime->workers_known > runtime->worker_count) {
        size_t spares = runtime->workers_known - runtime->worker_count;
        lines_add(lines, ", %zu spare%s", spares, plural(spares));
    }
    uint64_t count = runtime->task_count + runtime->left_out;
    lines_add(lines, ", %s task%s", grouped(count, tasks), plural(count));
    for (int kind = TASK_WAITS; kind >= 0; kind--) {
        if (runtime->kinds[kind] == 0) continue;
        lines_add(lines, "; %s %s", runtime->layout->task_state[kind], grouped(runtime->kinds[kind], tasks));
    }
    if (runtime->simulated) lines_add(lines, "; a simulation");
    if (runtime->cancelled) lines_add(lines, "; cancelled");
    if (runtime->ending) lines_add(lines, "; it ends");
}

/* ----------------------------------------------------------------------------------------------------------- workers */

static const struct past *past_of(const struct look *look, uint64_t runtime, uint32_t index) {
    for (size_t i = 0; i < look->past_count; i++) {
        if (look->past[i].runtime == runtime && look->past[i].worker.index == index) return &look->past[i];
    }
    return NULL;
}

/* A count, or how fast it grows. */
static double grown(const struct look *look, const struct past *past, uint64_t now, uint64_t before) {
    if (past == NULL || look->past_seconds <= 0) return (double)now;
    return now < before ? 0 : (double)(now - before) / look->past_seconds;
}

static void add_doing(struct lines *lines, const struct model_runtime *runtime, const struct model_worker *worker) {
    if (worker->rests == 1 && worker->polls) lines_add(lines, "in the poller");
    if (worker->rests == 0 && worker->runs != 0) {
        lines_add(lines, "runs task %#" PRIx64 " ", worker->runs);
        lines_add_name(lines, runtime->tasks[worker->runs_index].name);
    }
    if (worker->searches) lines_add(lines, "searches");
    if (worker->blocks) lines_add(lines, "%sblocked by its own account", worker->runs != 0 ? ", " : "");
}

static void write_worker(struct lines *lines, const struct look *look, const struct model_runtime *runtime,
                         const struct model_worker *worker) {
    const struct past *past = past_of(look, runtime->address, worker->index);
    const struct model_worker *before = past == NULL ? worker : &past->worker;
    lines_new(lines, "%-6s %4" PRIu32 " %8d %-8s ", worker->spare ? "spare" : "worker", worker->index, worker->thread,
              runtime->layout->worker_rests[worker->rests]);
    if (look->model->target->core) {
        lines_add(lines, "%6s", "");
    } else if (past == NULL) {
        lines_add(lines, "%6.1f", (double)worker->cpu_ns / 1e9);
    } else {
        lines_add(lines, "%6.1f", grown(look, past, worker->cpu_ns, before->cpu_ns) / 1e7);
    }
    lines_add(lines, " %7" PRIu64 " %10.0f %10.0f %10.0f %10.0f %10.0f  ", worker->queued,
              grown(look, past, worker->spawned, before->spawned), grown(look, past, worker->steals, before->steals),
              grown(look, past, worker->parks, before->parks), grown(look, past, worker->switches, before->switches),
              grown(look, past, worker->sleeps, before->sleeps));
    add_doing(lines, runtime, worker);
}

static void write_workers(struct lines *lines, const struct look *look, const struct model_runtime *runtime) {
    bool rates = look->past_count > 0;
    lines_new(lines, "%-11s %8s %-8s %6s %7s %10s %10s %10s %10s %10s  %s", "WORKER", "THREAD", "STATE",
              look->model->target->core ? ""
              : rates                   ? "CPU%"
                                        : "CPU s",
              "QUEUED", rates ? "SPAWNED/s" : "SPAWNED", rates ? "STOLEN/s" : "STOLEN", rates ? "WAITS/s" : "WAITS",
              rates ? "SWITCHES/s" : "SWITCHES", rates ? "SLEEPS/s" : "SLEEPS", "DOES");
    for (size_t i = 0; i < runtime->workers_known; i++) write_worker(lines, look, runtime, &runtime->workers[i]);
    lines_new(lines,
              "tasks from outside %" PRIu64 ", wakes of workers %" PRIu64 ", hogs %" PRIu64 ", stacks %" PRIu64
              ", helper threads %" PRIu64,
              runtime->injected, runtime->wakes, runtime->hogs, runtime->stacks, runtime->helpers);
}

/* ------------------------------------------------------------------------------------------------------------- tasks */

static void add_wait(struct lines *lines, const struct model_runtime *runtime, const struct model_task *task) {
    if (task->kind != TASK_WAITS) return;
    lines_add(lines, "%s", task->reason);
    if (task->object != 0) lines_add(lines, " %#" PRIx64, task->object);
    if (task->objects_differ) lines_add(lines, " and others");
    if (task->held_by_thread) lines_add(lines, ", held by a thread");
    if (task->holds == 0 || task->holds == task->object) return;
    lines_add(lines, ", held by ");
    if (task->waits_for == NONE) {
        lines_add(lines, "%#" PRIx64, task->holds);
    } else {
        lines_add_name(lines, runtime->tasks[task->waits_for].name);
    }
}

static void add_function(struct lines *lines, const struct look *look, uint64_t fn) {
    const struct place *place = places_find(look->places, fn, true);
    lines_add(lines, "%s", place->function[0] != '\0' ? place->function : place->text);
}

static void add_spawned_at(struct lines *lines, const struct look *look, uint64_t address) {
    const struct place *place = places_find(look->places, address, false);
    lines_add(lines, "%s", place->text);
    if (place->line[0] != '\0') lines_add(lines, " %s", place->line);
}

/* "waits" and how long, or who runs it. */
static void add_state(struct lines *lines, const struct model_runtime *runtime, const struct model_task *task) {
    lines_add(lines, "%s", runtime->layout->task_state[task->kind]);
    if (task->worker != NONE) lines_add(lines, ": worker %" PRIu32, task->worker);
    if (task->cancelled) lines_add(lines, ", cancelled");
}

/* Text of a column, filled up with spaces. `from`: where the line was when the column began. */
static void fill(struct lines *lines, size_t from, size_t width) {
    size_t length = lines->used - from;
    lines_add(lines, "%*s", length < width ? (int)(width - length) + 1 : 1, "");
}

static void write_task(struct lines *lines, const struct look *look, const struct model_runtime *runtime,
                       const struct model_task *task) {
    char count[32];
    lines_new(lines, "%#-16" PRIx64 " %9s ", task->address, grouped(task->alike, count));
    size_t from = lines->used;
    lines_add_name(lines, task->name);
    fill(lines, from, 18);
    from = lines->used;
    add_state(lines, runtime, task);
    fill(lines, from, 22);
    if (task->kind == TASK_WAITS) {
        lines_add(lines, "%11.3f  ", (double)task->waiting_ns / 1e9);
    } else {
        lines_add(lines, "%11s  ", "");
    }
    from = lines->used;
    add_wait(lines, runtime, task);
    fill(lines, from, 36);
    from = lines->used;
    add_function(lines, look, task->fn);
    fill(lines, from, 20);
    add_spawned_at(lines, look, task->spawned_at);
}

struct order {
    const struct model_runtime *runtime;
    const struct look *look;
};

static int compare(const void *left, const void *right, void *argument) {
    const struct order *order = argument;
    const struct model_task *a = &order->runtime->tasks[*(const uint32_t *)left];
    const struct model_task *b = &order->runtime->tasks[*(const uint32_t *)right];
    int answer = 0;
    switch (order->look->sort) {
    case SORT_STATE:
        answer = a->kind != b->kind      ? (int)a->kind - (int)b->kind
                 : a->kind == TASK_WAITS ? strcmp(a->reason, b->reason)
                                         : 0;
        break;
    case SORT_NAME:
        answer = strcmp(a->name, b->name);
        break;
    case SORT_COUNT:
        answer = (a->alike < b->alike) - (a->alike > b->alike);
        break;
    default:
        break;
    }
    if (answer == 0) answer = (a->waiting_ns < b->waiting_ns) - (a->waiting_ns > b->waiting_ns);
    if (answer == 0) answer = (a->address > b->address) - (a->address < b->address);
    return order->look->reverse ? -answer : answer;
}

static void write_tasks(struct lines *lines, const struct look *look, const struct model_runtime *runtime) {
    size_t count = 0;
    uint32_t *shown = malloc((runtime->task_count + 1) * sizeof *shown);
    lines_new(lines, "%-16s %9s %-18s %-22s %11s  %-36s %-20s %s", "TASK", "COUNT", "NAME", "STATE", "SECONDS",
              "WAITS FOR", "FUNCTION", "SPAWNED AT");
    if (shown == NULL) {
        lines->failed = true;
        return;
    }
    for (uint32_t i = 0; i < runtime->task_count; i++) {
        if (runtime->tasks[i].alike > 0) shown[count++] = i;
    }
    struct order order = {runtime, look};
    qsort_r(shown, count, sizeof *shown, compare, &order);
    for (size_t i = 0; i < count; i++) write_task(lines, look, runtime, &runtime->tasks[shown[i]]);
    free(shown);
    if (runtime->left_out > 0) lines_new(lines, "and %" PRIu64 " more", runtime->left_out);
}

/* -------------------------------------------------------------------------------------------------------------- tree */

/* The last of its siblings that is shown. */
static bool is_last(const struct model_runtime *runtime, const struct model_task *task) {
    for (uint32_t at = task->next; at != NONE; at = runtime->tasks[at].next) {
        if (runtime->tasks[at].alike > 0) return false;
    }
    return true;
}

/* `bars`: for each level above, whether a line runs down to a sibling further below. */
static void write_branch(struct lines *lines, const struct look *look, const struct model_runtime *runtime, uint32_t at,
                         uint32_t depth, const bool *bars) {
    const struct model_task *task = &runtime->tasks[at];
    char count[32];
    lines_new(lines, "  ");
    for (uint32_t i = 0; i < depth && i < INDENT_MAX; i++) {
        bool here = i + 1 == depth;
        lines_add(lines, "%s", here ? (bars[i] ? "|-" : "`-") : (bars[i] ? "| " : "  "));
    }
    lines_add_name(lines, task->name);
    lines_add(lines, " ");
    add_function(lines, look, task->fn);
    if (task->alike > 1) lines_add(lines, " x %s", grouped(task->alike, count));
    lines_add(lines, "  ");
    add_state(lines, runtime, task);
    if (task->kind == TASK_WAITS) {
        lines_add(lines, " for ");
        add_wait(lines, runtime, task);
        lines_add(lines, ", %s%.3f s", task->alike > 1 ? "up to " : "", (double)task->waiting_ns / 1e9);
    }
    if (task->scope_name[0] != '\0') {
        lines_add(lines, ", in scope ");
        lines_add_name(lines, task->scope_name);
    }
    lines_add(lines, "; spawned at ");
    add_spawned_at(lines, look, task->spawned_at);
}

static void write_cycle(struct lines *lines, const struct model_runtime *runtime) {
    uint32_t at, length = model_cycle(runtime, &at);
    if (length == 0) return;
    lines_new(lines, "  DEADLOCK: each of these waits for the next, and the last for the first:");
    for (; length > 0; length--, at = runtime->tasks[at].waits_for) {
        const struct model_task *task = &runtime->tasks[at];
        lines_new(lines, "    task %#" PRIx64 " ", task->address);
        lines_add_name(lines, task->name);
        lines_add(lines, " waits for %s %#" PRIx64, task->reason, task->object);
    }
}

static void write_tree(struct lines *lines, const struct look *look, const struct model_runtime *runtime) {
    bool bars[INDENT_MAX];
    uint32_t depth = 0;
    write_cycle(lines, runtime);
    for (uint32_t at = runtime->first; at != NONE; at = model_next(runtime, at, &depth)) {
        if (runtime->tasks[at].alike == 0) continue;
        if (depth > 0 && depth <= INDENT_MAX) bars[depth - 1] = !is_last(runtime, &runtime->tasks[at]);
        write_branch(lines, look, runtime, at, depth, bars);
    }
    if (runtime->left_out > 0) lines_new(lines, "  and %" PRIu64 " more", runtime->left_out);
}

/* ------------------------------------------------------------------------------------------------------------- waits */

/* All that wait for the same thing; or those of one place that wait each for a thing of its own. */
struct queue {
    const struct model_task *first;
    uint64_t tasks, objects;
    int64_t longest_ns;
};

static int by_object(const void *left, const void *right, void *argument) {
    const struct model_task *tasks = argument;
    const struct model_task *a = &tasks[*(const uint32_t *)left], *b = &tasks[*(const uint32_t *)right];
    int answer = strcmp(a->reason, b->reason);
    if (answer == 0) answer = (a->object > b->object) - (a->object < b->object);
    if (answer == 0) answer = (a->waiting_ns < b->waiting_ns) - (a->waiting_ns > b->waiting_ns);
    return answer;
}

static int by_length(const void *left, const void *right) {
    const struct queue *a = left, *b = right;
    if (a->tasks != b->tasks) return a->tasks < b->tasks ? 1 : -1;
    return (a->longest_ns < b->longest_ns) - (a->longest_ns > b->longest_ns);
}

/* Each of its tasks waits for a thing of its own, which nobody in particular holds. */
static bool is_lonely(const struct queue *queue) {
    const struct model_task *first = queue->first;
    return queue->tasks == queue->objects && (first->holds == 0 || first->holds == first->object) &&
           !first->held_by_thread;
}

static int by_place(const void *left, const void *right) {
    const struct queue *a = left, *b = right;
    if (is_lonely(a) != is_lonely(b)) return is_lonely(a) ? 1 : -1;
    int answer = strcmp(a->first->reason, b->first->reason);
    if (answer == 0) answer = (a->first->fn > b->first->fn) - (a->first->fn < b->first->fn);
    if (answer != 0) return answer;
    return (a->first->spawned_at > b->first->spawned_at) - (a->first->spawned_at < b->first->spawned_at);
}

/* The connections of a server close each a scope of its own: those of one place are told once. */
static size_t queues_fold(struct queue *queues, size_t made) {
    size_t kept = 0;
    qsort(queues, made, sizeof *queues, by_place);
    for (size_t i = 0; i < made; i++) {
        struct queue *last = kept == 0 ? NULL : &queues[kept - 1];
        if (last == NULL || !is_lonely(last) || !is_lonely(&queues[i]) || by_place(last, &queues[i]) != 0) {
            queues[kept++] = queues[i];
            continue;
        }
        if (last->longest_ns < queues[i].longest_ns) {
            last->longest_ns = queues[i].longest_ns;
            last->first = queues[i].first;
        }
        last->tasks++;
        last->objects++;
    }
    return kept;
}

/* What waits is sorted by what it waits for; those with the same object stand next to each other. */
static size_t queues_make(const struct model_runtime *runtime, uint32_t *waiting, struct queue *queues) {
    size_t count = 0, made = 0;
    for (uint32_t i = 0; i < runtime->task_count; i++) {
        if (runtime->tasks[i].kind == TASK_WAITS) waiting[count++] = i;
    }
    qsort_r(waiting, count, sizeof *waiting, by_object, runtime->tasks);
    for (size_t i = 0; i < count; i++) {
        const struct model_task *task = &runtime->tasks[waiting[i]];
        bool same = made > 0 && queues[made - 1].first->object == task->object &&
                    strcmp(queues[made - 1].first->reason, task->reason) == 0;
        if (!same) queues[made++] = (struct queue){task, 0, 1, task->waiting_ns};
        queues[made - 1].tasks++;
    }
    made = queues_fold(queues, made);
    qsort(queues, made, sizeof *queues, by_length);
    return made;
}

static void write_waits(struct lines *lines, const struct look *look, const struct model_runtime *runtime) {
    uint32_t *waiting = malloc((runtime->task_count + 1) * sizeof *waiting);
    struct queue *queues = malloc((runtime->task_count + 1) * sizeof *queues);
    char count[32];
    (void)look;
    lines_new(lines, "%10s %11s  %-50s %s", "TASKS", "LONGEST s", "WAIT FOR", "FIRST");
    size_t made = waiting == NULL || queues == NULL ? 0 : queues_make(runtime, waiting, queues);
    for (size_t i = 0; i < made; i++) {
        lines_new(lines, "%10s %11.3f  ", grouped(queues[i].tasks, count), (double)queues[i].longest_ns / 1e9);
        size_t from = lines->used;
        add_wait(lines, runtime, queues[i].first);
        if (queues[i].objects > 1 && !queues[i].first->objects_differ) lines_add(lines, " and others");
        fill(lines, from, 50);
        lines_add(lines, "%#" PRIx64 " ", queues[i].first->address);
        lines_add_name(lines, queues[i].first->name);
    }
    free(waiting);
    free(queues);
    write_cycle(lines, runtime);
}

void view_write(struct lines *lines, const struct look *look, enum view view) {
    static void (*const write[VIEW_COUNT])(struct lines * lines, const struct look *look,
                                           const struct model_runtime *runtime) = {[VIEW_TASKS] = write_tasks,
                                                                                   [VIEW_TREE] = write_tree,
                                                                                   [VIEW_WAITS] = write_waits,
                                                                                   [VIEW_WORKERS] = write_workers};
    for (size_t i = 0; i < look->model->runtime_count; i++) {
        view_runtime(lines, look->model, &look->model->runtimes[i]);
        write[view](lines, look, &look->model->runtimes[i]);
    }
    if (look->model->runtime_count == 0) lines_new(lines, "no runtime: none was made yet, or all have ended");
}
