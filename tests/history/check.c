/* SPDX-License-Identifier: MIT */
/* The checker: see history.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

enum { CONFIGS_MAX = 4096, SLOTS = 8192 };

#define LONG_NS FILCH_SEC(100) /* a deadline so far off passes when all wait */

const struct program *history_program;

/* How far the history has been read. */
static struct {
    const struct op *ops[TASKS_MAX]; /* of the task's call; NULL: none */
    const struct call *calls[TASKS_MAX];
    unsigned marks[TASKS_MAX];
    bool is_long[TASKS_MAX];     /* its deadline is far off */
    bool refused[TASKS_MAX];     /* the call began when the task was cancelled */
    bool maybe[TASKS_MAX];       /* the cancellation has begun */
    bool cancelled[TASKS_MAX];   /* it is over */
    int64_t now_ns, scope_at_ns; /* the scope is cancelled from then on, if there is one */
} now;

/* The configurations found since a step was asked for, each once. */
static struct config found[CONFIGS_MAX];
static unsigned found_count;
static uint16_t slots[SLOTS]; /* index + 1; 0: free */

static struct config kept[CONFIGS_MAX];
static unsigned kept_count;

static uint64_t hash_of(const struct config *config) {
    uint64_t words[sizeof *config / 8], hash = 0;
    memcpy(words, config, sizeof words);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

_Static_assert(sizeof(struct config) % 8 == 0, "hashed by words");

static _Noreturn void overflow(void) {
    fprintf(stderr, "history: more than %d configurations\n", CONFIGS_MAX);
    abort();
}

void config_emit(const struct config *config) {
    uint64_t slot = hash_of(config) % SLOTS;
    for (; slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        if (memcmp(&found[slots[slot] - 1], config, sizeof *config) == 0) return;
    }
    if (found_count == CONFIGS_MAX) overflow();
    found[found_count++] = *config;
    slots[slot] = (uint16_t)found_count;
}

static void forget_found(void) {
    for (unsigned i = 0; i < found_count; i++) {
        uint64_t slot = hash_of(&found[i]) % SLOTS;
        while (slots[slot] != 0) {
            slots[slot] = 0;
            slot = (slot + 1) % SLOTS;
        }
    }
    found_count = 0;
}

static void keep(const struct config *config) {
    for (unsigned i = 0; i < kept_count; i++) {
        if (memcmp(&kept[i], config, sizeof *config) == 0) return;
    }
    if (kept_count == CONFIGS_MAX) overflow();
    kept[kept_count++] = *config;
}

/* ------------------------------------------------------------------------------------------------------- for models */

const struct op *config_op(unsigned task) {
    return now.ops[task];
}

const struct call *config_call(unsigned task) {
    return now.calls[task];
}

int64_t config_now(void) {
    return now.now_ns;
}

unsigned config_marks(unsigned task) {
    return now.marks[task];
}

void config_done(struct config *config, unsigned task, int result) {
    config->phase[task] = PHASE_DONE;
    config->result[task] = (int8_t)result;
    config->extra[task] = 0;
}

void config_wait(struct config *config, unsigned task) {
    uint8_t last = 0;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        if (config->rank[i] > last) last = config->rank[i];
    }
    config->phase[task] = PHASE_WAITS;
    config->rank[task] = last + 1;
}

void config_leave(struct config *config, unsigned task) {
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        if (config->rank[i] > config->rank[task]) config->rank[i]--;
    }
    config->rank[task] = 0;
}

void config_grant(struct config *config, unsigned task, int result) {
    config_leave(config, task);
    config_done(config, task, result);
}

int config_first(const struct config *config, uint32_t kinds) {
    int first = -1;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        if (config->rank[i] == 0 || (kinds >> now.ops[i]->kind & 1) == 0) continue;
        if (first < 0 || config->rank[i] < config->rank[first]) first = (int)i;
    }
    return first;
}

void config_grant_all(struct config *config, uint32_t kinds, int result) {
    int first;
    while ((first = config_first(config, kinds)) >= 0) config_grant(config, (unsigned)first, result);
}

/* ------------------------------------------------------------------------------------------------------------ steps */

static bool waits(unsigned task) {
    return history_program->object->kinds[now.ops[task]->kind].waits;
}

static bool may_be_cancelled(unsigned task) {
    bool by_scope = history_program->cut == CUT_SCOPE && history_program->cut_task == task;
    return !now.ops[task]->outside && (now.maybe[task] || (by_scope && now.now_ns >= now.scope_at_ns));
}

/* That all waited although the task was cancelled is no way out. */
static bool may_time_out(const struct config *config, unsigned task) {
    int64_t deadline_ns = now.calls[task]->deadline_ns;
    if (now.now_ns < deadline_ns) return false;
    if (now.cancelled[task] && !now.ops[task]->outside && now.is_long[task]) return false;
    bool (*may)(const struct config *, unsigned) = history_program->object->may_time_out;
    return may == NULL || may(config, task);
}

static void give_up(const struct config *config, unsigned task, int error) {
    struct config next = *config;
    config_leave(&next, task);
    if (history_program->object->give_up != NULL) {
        history_program->object->give_up(&next, task, error);
    } else {
        config_done(&next, task, error);
    }
    config_emit(&next);
}

static void arrive(const struct config *config, unsigned task) {
    struct config next = *config;
    if (waits(task) && may_be_cancelled(task)) {
        config_done(&next, task, -ECANCELED);
        config_emit(&next);
        if (now.refused[task]) return;
        next = *config;
    }
    history_program->object->arrive(&next, task, now.ops[task]);
}

static void expand(const struct config *config, unsigned task) {
    switch (config->phase[task]) {
    case PHASE_CALLED:
        arrive(config, task);
        return;
    case PHASE_WAITS:
        if (may_time_out(config, task)) give_up(config, task, -ETIMEDOUT);
        if (may_be_cancelled(task)) give_up(config, task, -ECANCELED);
        break;
    case PHASE_MORE:
        break;
    default:
        return;
    }
    if (history_program->object->proceed == NULL) return;
    struct config next = *config;
    history_program->object->proceed(&next, task, now.ops[task]);
}

/* ----------------------------------------------------------------------------------------------------- the history */

static bool is_explained(const struct config *config, const struct event *event) {
    unsigned task = event->task;
    const struct call *call = event->call;
    switch (event->kind) {
    case EVENT_WAITS:
        return config->phase[task] != PHASE_CALLED;
    case EVENT_MARK:
        return history_program->object->may_mark(config, task, event->mark);
    default:
        return config->phase[task] == PHASE_DONE && config->result[task] == call->result &&
               memcmp(config->values[task], call->values, VALUES_MAX) == 0;
    }
}

static void clear_call(struct config *config, unsigned task) {
    config->phase[task] = PHASE_NONE;
    config->result[task] = 0;
    memset(config->values[task], 0, VALUES_MAX);
}

/* Keeps those that explain the event, after as many steps as that takes. */
static void advance(const struct event *event) {
    unsigned task = event->task;
    for (unsigned i = 0; i < kept_count; i++) config_emit(&kept[i]);
    kept_count = 0;
    for (unsigned i = 0; i < found_count; i++) {
        struct config config = found[i];
        if (is_explained(&config, event)) {
            if (event->kind == EVENT_RETURN) clear_call(&config, task);
            keep(&config);
        } else if (config.phase[task] != PHASE_DONE) {
            for (unsigned each = 0; each < TASKS_MAX; each++) expand(&config, each);
        }
    }
    forget_found();
}

static void begin_call(const struct event *event) {
    unsigned task = event->task;
    now.ops[task] = event->call->op;
    now.calls[task] = event->call;
    now.marks[task] = 0;
    now.is_long[task] = event->call->deadline_ns - event->now_ns > LONG_NS;
    now.refused[task] = now.cancelled[task] && !event->call->op->outside;
    for (unsigned i = 0; i < kept_count; i++) kept[i].phase[task] = PHASE_CALLED;
}

static void end_call(const struct event *event) {
    advance(event);
    /* Cancellation is a state: so it is from now on. */
    if (event->call->result == -ECANCELED) now.maybe[event->task] = now.cancelled[event->task] = true;
    now.ops[event->task] = NULL;
}

static void read_event(const struct event *event) {
    now.now_ns = event->now_ns;
    switch ((enum event_kind)event->kind) {
    case EVENT_CALL:
        begin_call(event);
        break;
    case EVENT_RETURN:
        end_call(event);
        break;
    case EVENT_MARK:
        now.marks[event->task] = event->mark;
        advance(event);
        break;
    case EVENT_WAITS:
        advance(event);
        break;
    case EVENT_CANCEL:
        now.maybe[event->task] = true;
        break;
    case EVENT_CANCELLED:
        now.cancelled[event->task] = true;
        break;
    }
}

const char *history_check(const struct program *program, const struct history *history, unsigned *at) {
    history_program = program;
    memset(&now, 0, sizeof now);
    now.scope_at_ns = history->began_ns + program->cut_ns;
    memset(&kept[0], 0, sizeof kept[0]);
    kept_count = 1;
    if (program->object->begin != NULL) program->object->begin(&kept[0], program);
    for (unsigned i = 0; i < history->count; i++) {
        read_event(&history->events[i]);
        *at = i;
        if (kept_count == 0) return "no order of its steps explains this";
    }
    return history->wrong;
}
