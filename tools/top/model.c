/* SPDX-License-Identifier: MIT */
/*
 * Reading. The program goes on meanwhile, and takes no notice: a record may be another task's by the time that what it
 * points to is read. So everything that is followed must lead back to where it was come from (the waiter to the task's wait
 * word, the extra record to the task), every walk has a bound, and every number that is used as an index is checked. What
 * does not hold is left out. It is read in a few large pieces: all of a slab at a time, and waiters and extra records by
 * the thousand.
 */
#include "tools/top/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"

enum {
    SLABS_MAX = 1 << 20,
    WORKERS_MAX = 4096,
    SLACK = 64,   /* bytes behind a record, so that a field at its very end can be taken out of it */
    BATCH = 512,  /* records that are read at once */
    ATTEMPTS = 3, /* at a runtime that begins or ends meanwhile */
    RECORD_ROOM = SMALL_RECORD_MAX + SLACK,
};

/* ------------------------------------------------------------------------------------------------------------- words */

#define UNREADABLE "?"

/* Static text of the program: read once. */
static const char *word_at(struct model *model, uint64_t address) {
    for (size_t i = 0; i < model->word_count; i++) {
        if (model->words[i]->address == address) return model->words[i]->text;
    }
    struct model_word *word = malloc(sizeof *word);
    if (word == NULL) return UNREADABLE;
    char text[sizeof word->text + 4]; /* and a character more, so that it is seen where one is cut */
    word->address = address;
    if (!target_read_text(model->target, address, text, sizeof text) ||
        model->word_count == sizeof model->words / sizeof *model->words) {
        free(word);
        return UNREADABLE;
    }
    snprintf(word->text, sizeof word->text, "%.*s", (int)filch__utf8_cut(text, sizeof word->text - 1), text);
    model->words[model->word_count++] = word;
    return word->text;
}

static int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* ----------------------------------------------------------------------------------------------------------- workers */

static uint64_t processor_ns(const struct target *target, int thread) {
    char path[64];
    unsigned long long ns = 0;
    if (target->core || thread <= 0) return 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", target->process, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    if (fscanf(file, "%llu", &ns) != 1) ns = 0;
    fclose(file);
    return ns;
}

static uint64_t length_of(uint64_t from, uint64_t to) {
    return (int64_t)(to - from) > 0 ? to - from : 0;
}

static bool read_worker(struct model *model, struct model_runtime *runtime, uint64_t address, uint32_t index) {
    const struct layout *layout = runtime->layout;
    static char record[RECORD_MAX + SLACK];
    if (!target_read(model->target, address, record, layout->worker.size)) return false;
    uint64_t region = layout_number(record, layout->worker.region, 8);
    struct model_worker *worker = &runtime->workers[runtime->workers_known++];
    *worker = (struct model_worker){
        .index = index,
        .spare = index >= runtime->worker_count,
        .rests = (uint32_t)layout_number(record, layout->worker.rests, 4),
        .polls = layout_number(record, layout->worker.polls, 1) != 0,
        .blocks = layout_number(record, layout->worker.blocks, 4) != 0,
        .thread = (int)layout_number(record, layout->worker.thread, 4),
        .runs = region & ~(uint64_t)layout->region.BITS,
        .runs_index = NONE,
        .queued = length_of(layout_number(record, layout->worker.deque_top, 8),
                            layout_number(record, layout->worker.deque_bottom, 8)) +
                  length_of(layout_number(record, layout->worker.queue_head, 8),
                            layout_number(record, layout->worker.queue_tail, 8)),
        .spawned = layout_number(record, layout->worker.spawned, 8),
        .completed = layout_number(record, layout->worker.completed, 8),
        .steals = layout_number(record, layout->worker.steals, 8),
        .parks = layout_number(record, layout->worker.parks, 8),
        .yields = layout_number(record, layout->worker.yields, 8),
        .switches = layout_number(record, layout->worker.switches, 8),
        .sleeps = layout_number(record, layout->worker.sleeps, 8),
    };
    runtime->wakes += layout_number(record, layout->worker.wakes, 8);
    runtime->hogs += layout_number(record, layout->worker.hogs, 8);
    if (worker->rests > 2) worker->rests = 0;
    if (worker->rests != 0) worker->runs = 0;
    worker->searches = worker->rests == 0 && region == 0;
    if (region & layout->region.OPEN) { /* in a scope of the task */
        uint64_t task = 0;
        (void)(worker->runs != 0 && target_read(model->target, worker->runs + layout->region.task, &task, sizeof task));
        worker->runs = task;
    }
    worker->cpu_ns = processor_ns(model->target, worker->thread);
    return true;
}

static bool read_workers(struct model *model, struct model_runtime *runtime, const char *record) {
    const struct layout *layout = runtime->layout;
    uint64_t first = layout_number(record, layout->runtime.workers, 8);
    uint64_t known = layout_number(record, layout->runtime.worker_known, 4);
    if (known > WORKERS_MAX || runtime->worker_count > known) return false;
    if (known > runtime->worker_count + layout->runtime.spares_room) return false;
    runtime->workers = calloc(known + 1, sizeof *runtime->workers);
    if (runtime->workers == NULL) return false;
    for (uint32_t i = 0; i < known; i++) {
        uint64_t address = first + (uint64_t)i * layout->worker.size;
        if (i >= runtime->worker_count) {
            address = layout_number(record, layout->runtime.spares + 8 * (i - runtime->worker_count), 8);
        }
        if (!read_worker(model, runtime, address, i)) return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------------------- tasks */

static struct model_task *add_task(struct model_runtime *runtime) {
    if (runtime->task_count == runtime->task_room) {
        size_t room = runtime->task_room == 0 ? 256 : 2 * runtime->task_room;
        struct model_task *tasks = realloc(runtime->tasks, room * sizeof *tasks);
        if (tasks == NULL) return NULL;
        runtime->tasks = tasks;
        runtime->task_room = room;
    }
    return &runtime->tasks[runtime->task_count++];
}

/* RECHECK alone: somebody looks at it, or it will look whether it is cancelled; it waits as yet. */
static bool is_parked(const struct layout *layout, uint64_t word) {
    uint64_t causes = layout->waiter.CAUSES & ~layout->waiter.RECHECK;
    return (word & (layout->waiter.PARKED | causes)) == layout->waiter.PARKED;
}

/* A task that has called another in place waits for that; it has no waiter. */
static void read_wait_word(const struct layout *layout, struct model_task *task, uint64_t word) {
    if ((word & layout->waiter.WORD) != layout->waiter.WORD) return;
    uint64_t in_place = (uint64_t)1 << layout->waiter.in_place_shift;
    uint64_t address = word & ~(in_place | layout->waiter.BITS);
    if (word & in_place) {
        task->kind = TASK_WAITS;
        task->reason = "await";
        task->object = task->holds = address;
    } else if (is_parked(layout, word)) {
        task->waiter = address;
    }
}

/* False: no memory. */
static bool read_record(struct model *model, struct model_runtime *runtime, uint64_t address, const char *record) {
    const struct layout *layout = runtime->layout;
    uint64_t state = layout_number(record, layout->task.state, 1);
    if (state != layout->task.READY && state != layout->task.STARTED) return true;
    if (layout_number(record, layout->task.runtime, 8) != runtime->address) return true;
    if (runtime->task_count == model->tasks_max) {
        runtime->left_out++;
        return true;
    }
    struct model_task *task = add_task(runtime);
    if (task == NULL) return false;
    *task = (struct model_task){
        .address = address,
        .fn = layout_number(record, layout->task.fn, 8),
        .spawned_at = layout_number(record, layout->task.spawned_at, 8),
        .extra = layout_number(record, layout->task.extra, 8),
        .kind = state == layout->task.READY ? TASK_NOT_BEGUN : TASK_RUNS,
        .cancelled = layout_number(record, layout->task.hints, 2) & layout->task.CANCELLED,
        .worker = NONE,
    };
    if (task->kind == TASK_RUNS) read_wait_word(layout, task, layout_number(record, layout->task.wait, 8));
    return true;
}

/* All records of a slab at once. False: no memory. */
static bool read_slab(struct model *model, struct model_runtime *runtime, uint64_t slab, const char *record,
                      char *bytes, uint64_t *next) {
    const struct layout *layout = runtime->layout;
    uint64_t count = layout_number(record, layout->runtime.task_slab_records, 8);
    uint64_t at = layout_number(record, layout->runtime.task_records_at, 8);
    uint64_t size = at + count * layout->task.size;
    *next = 0;
    if (!target_read(model->target, slab, bytes, size)) return true; /* a slab that is gone has no tasks */
    *next = layout_number(bytes, layout->slab.next, 8);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = at + i * layout->task.size;
        if (!read_record(model, runtime, slab + offset, bytes + offset)) return false;
    }
    return true;
}

static bool read_tasks(struct model *model, struct model_runtime *runtime, const char *record) {
    const struct layout *layout = runtime->layout;
    uint64_t slab = layout_number(record, layout->runtime.task_slabs, 8);
    uint64_t size = layout_number(record, layout->runtime.task_slab_size, 8);
    uint64_t records = layout_number(record, layout->runtime.task_slab_records, 8);
    uint64_t at = layout_number(record, layout->runtime.task_records_at, 8);
    if (slab == 0) return true;
    if (size > 16 << 20 || at > size || records > (size - at) / layout->task.size || layout->slab.next > at)
        return false;
    char *bytes = calloc(1, size + SLACK);
    bool read = bytes != NULL;
    uint64_t marked = 0; /* a list that comes back to where it was is none */
    for (size_t i = 0; i < SLABS_MAX && slab != 0 && slab != marked && read; i++) {
        if ((i & (i - 1)) == 0) marked = slab;
        read = read_slab(model, runtime, slab, record, bytes, &slab);
    }
    free(bytes);
    return read;
}

/* --------------------------------------------------------------------------------------------- what tasks point to */

/* What is read of up to BATCH tasks at once. */
struct batch {
    struct model *model;
    struct model_runtime *runtime;
    size_t count;
    struct target_piece pieces[BATCH];
    struct model_task *tasks[BATCH];
    char records[BATCH][RECORD_ROOM];
};

typedef void take_fn(struct batch *batch, struct model_task *task, const char *record);

static void flush(struct batch *batch, take_fn *take) {
    target_read_many(batch->model->target, batch->pieces, batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->pieces[i].read) take(batch, batch->tasks[i], batch->records[i]);
    }
    batch->count = 0;
}

static void add(struct batch *batch, struct model_task *task, uint64_t address, uint32_t size, take_fn *take) {
    size_t i = batch->count++;
    batch->pieces[i] = (struct target_piece){.address = address, .to = batch->records[i], .size = size};
    batch->tasks[i] = task;
    if (batch->count == BATCH) flush(batch, take);
}

static void take_back(struct model_task *task) {
    task->kind = TASK_RUNS;
    task->object = task->holds = 0;
}

/* What stands there is the task's waiter only if it leads back. */
static void take_waiter(struct batch *batch, struct model_task *task, const char *record) {
    const struct layout *layout = batch->runtime->layout;
    if (layout_number(record, layout->waiter.word, 8) != task->address + layout->task.wait) return;
    int64_t since_ns = (int64_t)layout_number(record, layout->waiter.since_ns, 8);
    task->kind = TASK_WAITS;
    task->reason_at = layout_number(record, layout->waiter.reason, 8);
    task->reason = word_at(batch->model, task->reason_at);
    if (strcmp(task->reason, UNREADABLE) == 0) { /* it is between two waits */
        take_back(task);
        return;
    }
    task->object = layout_number(record, layout->waiter.object, 8);
    task->waiting_ns = since_ns > 0 && since_ns < batch->runtime->now_ns ? batch->runtime->now_ns - since_ns : 0;
    if (strcmp(task->reason, "await") == 0) task->holds = task->object;
}

/* Between two waits at the same place of the stack anything may stand there: but not twice the same. */
static void take_again(struct batch *batch, struct model_task *task, const char *record) {
    const struct layout *layout = batch->runtime->layout;
    if (layout_number(record, layout->waiter.reason, 8) != task->reason_at ||
        layout_number(record, layout->waiter.object, 8) != task->object) {
        take_back(task);
    }
}

/* The waiter was still the task's after it had been read. */
static void take_word(struct batch *batch, struct model_task *task, const char *record) {
    const struct layout *layout = batch->runtime->layout;
    uint64_t word = layout_number(record, 0, 8);
    if ((word & ~(uint64_t)layout->waiter.BITS) != task->waiter || !is_parked(layout, word)) take_back(task);
}

static void take_extra(struct batch *batch, struct model_task *task, const char *record) {
    const struct layout *layout = batch->runtime->layout;
    if (layout_number(record, layout->extra.task, 8) != task->address) return;
    memcpy(task->name, record + layout->extra.name, layout->extra.name_size);
    task->name[sizeof task->name - 1] = '\0';
    task->scope = layout_number(record, layout->extra.scope, 8);
}

static void take_scope(struct batch *batch, struct model_task *task, const char *record) {
    const struct layout *layout = batch->runtime->layout;
    task->host = layout_number(record, layout->scope.task, 8);
    uint64_t name = layout_number(record, layout->scope.name, 8);
    if (name != 0) snprintf(task->scope_name, sizeof task->scope_name, "%s", word_at(batch->model, name));
}

/* Who holds the mutex: a task, or a thread that is no worker. */
static void take_owner(struct batch *batch, struct model_task *task, const char *record) {
    const struct layout *layout = batch->runtime->layout;
    uint64_t word = layout_number(record, 0, 8);
    task->held_by_thread = word & layout->owner.THREAD;
    if (task->held_by_thread) return;
    task->holds = word & ~(uint64_t)(layout->owner.FLAG | layout->owner.CHILD);
    task->by_child = word & layout->owner.CHILD;
}

static bool read_details(struct model *model, struct model_runtime *runtime) {
    const struct layout *layout = runtime->layout;
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return false;
    batch->model = model;
    batch->runtime = runtime;
    struct model_task *tasks = runtime->tasks;
    for (size_t i = 0; i < runtime->task_count; i++) {
        if (tasks[i].waiter != 0) add(batch, &tasks[i], tasks[i].waiter, layout->waiter.size, take_waiter);
    }
    flush(batch, take_waiter);
    for (size_t i = 0; i < runtime->task_count && !model->target->core; i++) {
        if (tasks[i].waiter != 0 && tasks[i].kind == TASK_WAITS) {
            add(batch, &tasks[i], tasks[i].waiter, layout->waiter.size, take_again);
        }
    }
    flush(batch, take_again);
    for (size_t i = 0; i < runtime->task_count && !model->target->core; i++) {
        if (tasks[i].waiter != 0 && tasks[i].kind == TASK_WAITS) {
            add(batch, &tasks[i], tasks[i].address + layout->task.wait, sizeof(uint64_t), take_word);
        }
    }
    flush(batch, take_word);
    for (size_t i = 0; i < runtime->task_count; i++) {
        if (tasks[i].extra != 0) add(batch, &tasks[i], tasks[i].extra, layout->extra.size, take_extra);
    }
    flush(batch, take_extra);
    for (size_t i = 0; i < runtime->task_count; i++) {
        if (tasks[i].scope != 0) add(batch, &tasks[i], tasks[i].scope, layout->scope.size, take_scope);
    }
    flush(batch, take_scope);
    for (size_t i = 0; i < runtime->task_count; i++) {
        if (tasks[i].kind != TASK_WAITS || strcmp(tasks[i].reason, "mutex") != 0) continue;
        add(batch, &tasks[i], tasks[i].object + layout->mutex.owner, sizeof(uint64_t), take_owner);
    }
    flush(batch, take_owner);
    free(batch);
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- runtimes */

static void drop_runtime(struct model_runtime *runtime) {
    free(runtime->workers);
    free(runtime->tasks);
    runtime->workers = NULL;
    runtime->tasks = NULL;
    runtime->workers_known = runtime->task_count = runtime->task_room = 0;
    runtime->left_out = 0;
}

static void read_head(struct model *model, struct model_runtime *runtime, const char *record) {
    const struct layout *layout = runtime->layout;
    int64_t coarse_ns = (int64_t)layout_number(record, layout->runtime.coarse_ns, 8);
    memcpy(runtime->name, record + layout->runtime.name, 16);
    runtime->name[16] = '\0';
    runtime->simulated = layout_number(record, layout->runtime.simulated, 1) != 0;
    runtime->cancelled = layout_number(record, layout->runtime.cancelled, 4) != 0;
    runtime->ending = layout_number(record, layout->runtime.ending, 4) != 0;
    runtime->worker_count = (uint32_t)layout_number(record, layout->runtime.worker_count, 4);
    runtime->wakes = runtime->hogs = 0; /* the workers add theirs */
    runtime->injected = layout_number(record, layout->runtime.injected, 8);
    runtime->helpers = layout_number(record, layout->runtime.helpers, 4);
    runtime->stacks = layout_number(record, layout->runtime.stacks, 8);
    /* In a core, and in a simulation, it is the time that the runtime has last read. */
    runtime->now_ns = runtime->simulated || model->target->core ? coarse_ns : clock_ns();
}

/* A fork copies the parent's runtimes, which do nothing in the child. */
static bool is_parents(struct model *model, const struct layout *layout, const char *record) {
    uint32_t number;
    return target_read(model->target, layout->process, &number, sizeof number) &&
           number != layout_number(record, layout->runtime.process, 4);
}

/* gdb's gcore stops at a page that cannot be read, as a stack's guard, and has zeroes in place of what follows. */
static bool is_hole(struct model *model, const struct model_runtime *runtime) {
    return runtime->worker_count == 0 &&
           !target_fail(model->target, "%s",
                        model->target->core ? "the core has zeroes in place of it, as those that gdb's "
                                              "gcore writes: have the kernel write one (kill -ABRT)"
                                            : "it has no workers");
}

static bool read_runtime(struct model *model, struct model_runtime *runtime) {
    const struct layout *layout = runtime->layout;
    char *record = calloc(1, (size_t)layout->runtime.size + SLACK + 8 * layout->runtime.spares_room);
    if (record == NULL) return false;
    bool read = target_read(model->target, runtime->address, record, layout->runtime.size);
    if (read && is_parents(model, layout, record)) {
        runtime->parents = true;
    } else if (read) {
        read_head(model, runtime, record);
        read = !is_hole(model, runtime) && read_workers(model, runtime, record) && read_tasks(model, runtime, record) &&
               read_details(model, runtime) && model_order(runtime);
    }
    free(record);
    if (!read) drop_runtime(runtime);
    return read;
}

/* A runtime that is not there any more at a second look has ended, and is left out. */
static bool still_listed(struct model *model, const struct layout *layout, uint32_t index, uint64_t address) {
    uint64_t now = 0;
    return target_read(model->target, layout->runtimes + 8ull * index, &now, sizeof now) && now == address;
}

static bool read_listed(struct model *model, const struct layout *layout, uint32_t index, uint64_t address) {
    struct model_runtime *runtimes = realloc(model->runtimes, (model->runtime_count + 1) * sizeof *runtimes);
    if (runtimes == NULL) return false;
    model->runtimes = runtimes;
    struct model_runtime *runtime = &runtimes[model->runtime_count];
    for (int i = 0; i < ATTEMPTS; i++) {
        *runtime = (struct model_runtime){.address = address, .layout = layout};
        bool read = read_runtime(model, runtime);
        if (read && runtime->parents) return true;
        if (read && (model->target->core || still_listed(model, layout, index, address))) {
            model->runtime_count++;
            return true;
        }
        drop_runtime(runtime);
        if (!still_listed(model, layout, index, address)) return true;
    }
    model->unread++;
    char why[sizeof model->target->error];
    memcpy(why, model->target->error, sizeof why);
    target_warn(model->target, "the runtime at %#" PRIx64 " could not be read: %s", address, why);
    return true;
}

static void drop_runtimes(struct model *model) {
    for (size_t i = 0; i < model->runtime_count; i++) drop_runtime(&model->runtimes[i]);
    model->runtime_count = 0;
}

static bool read_table(struct model *model, const struct layout *layout) {
    uint64_t *table = calloc(layout->runtimes_room, sizeof *table);
    if (table == NULL) return target_fail(model->target, "no memory");
    bool read = target_read(model->target, layout->runtimes, table, layout->runtimes_room * sizeof *table);
    for (uint32_t i = 0; read && i < layout->runtimes_room; i++) {
        if (table[i] != 0 && !read_listed(model, layout, i, table[i])) read = target_fail(model->target, "no memory");
    }
    free(table);
    return read;
}

bool model_take(struct model *model) {
    drop_runtimes(model);
    model->unread = 0;
    if (!model->target->core) model->target->warning[0] = '\0';
    if (!target_refresh(model->target)) return false;
    model->taken_ns = clock_ns();
    for (size_t i = 0; i < model->layout_count; i++) {
        if (!read_table(model, &model->layouts[i])) return false;
    }
    if (model->runtime_count > 0 || model->unread == 0) return true;
    return target_fail(model->target, "%s", model->target->warning);
}

bool model_init(struct model *model, struct target *target, uint32_t tasks_max) {
    *model = (struct model){.target = target, .tasks_max = tasks_max};
    model->layout_count = layouts_find(target, model->layouts);
    return model->layout_count > 0;
}

void model_drop(struct model *model) {
    drop_runtimes(model);
    free(model->runtimes);
    for (size_t i = 0; i < model->word_count; i++) free(model->words[i]);
}
