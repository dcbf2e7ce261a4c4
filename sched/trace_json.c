/* SPDX-License-Identifier: MIT */
/*
 * Traces as JSON, in Chrome's trace event format, which Perfetto reads too: one event a line.
 *
 * Each worker is a thread of the picture (numbered from 1), and each time that a task runs on it is a slice: from its begin
 * or its going on to its wait, its giving way or its end. A task that another has called in place is a slice inside that
 * one's. Who waits inside such a call makes all of them end, and begin again where it goes on. Arrows (flows) are written
 * with both their ends at once, when the later end is met, so that none has only one.
 *
 * Counters tell how many tasks there are, how many of them could run and do not, and how many workers sleep. They are added
 * up from the events: a task can run from its spawn to its begin, and from its wake, or where it gives way, to where it
 * goes on. So they count on the worker that has made it so, whoever takes it from there, and those that had begun to wait
 * before the trace are missing until they wait again. Where events were lost, counters begin when no more are missing.
 *
 * A slice whose begin was overwritten, or came before the trace, begins with its row. Tasks are numbered in the order in which they appear: records
 * are used again and again, and the end of one task, or the spawn of another, begins a new number.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "base/json.h"
#include "base/place.h"
#include "sched/runtime.h"
#include "sched/trace.h"

enum {
    DEPTH_MAX = 64,        /* of slices in each other; deeper ones are left out */
    POINT_NS = 200,        /* how long a slice is that is only there for an arrow to begin at */
    OUTSIDE_TID = 1000000, /* threads that are no workers are numbered from here */
    KNOWN_MAX = 1 << 20,
    COUNTER_STEPS = 8192, /* what a counter shows for less than that part of the trace may be left out */
};

/* ----------------------------------------------------------------------------------------------- what is remembered */

enum known_kind { KNOWN_TASK, KNOWN_WAITER, KNOWN_OBJECT, KNOWN_THREAD };

/* Of something with an address, or of a thread with a number. */
struct known {
    uint64_t key; /* the address and the kind; 0: free */
    uint32_t serial;
    uint32_t label;          /* a task's; for what a waiter waits */
    uint64_t other;          /* who has called a task in place; a waiter's object */
    uint64_t since_ns;       /* when a waiter began to wait */
    bool begun, told, waits; /* a task has begun; its spawn was told; a waiter waits */
    bool has_from;           /* an arrow begins, at a spawn or a wake, */
    unsigned from_tid;       /* here */
    uint64_t from_ns;
    uint32_t queued; /* a task, or a waiter, could run, and is counted on the track before that; 0: it does not */
};

struct slice {
    uint64_t task; /* its address; 0: it is one of the worker's own */
    bool of_call;
};

/* Told where it changes, as the JSON of the trace event format has it: a value holds until the next one. */
struct counter {
    const char *name; /* NULL: what the track's worker has made runnable */
    int64_t value, told;
    uint64_t told_ns, changed_ns;
};

struct track {
    struct filch__trace_row *row;
    struct counter runnable;
    bool asleep;
    unsigned depth; /* those that are left out count */
    struct slice open[DEPTH_MAX];
};

struct text {
    bool made;
    char name[64], site[PLACE_SIZE];
};

struct writer {
    struct filch__json json;
    struct filch__trace_copy *copy;
    filch__place_fn *place;
    bool simulated;
    uint32_t tasks, objects, threads, flows; /* how many so far */
    uint32_t known_count, known_mask;
    struct known spare; /* for what there is no room for */
    struct counter live, runnable, asleep;
    bool counts; /* no more events are missing, so that counters are told */
    uint64_t counts_ns, counter_step_ns;
    struct track *tracks;
    struct known *known;
    struct text texts[LABELS];
    size_t bytes;
};

static struct known *find(struct writer *writer, uint64_t address, enum known_kind kind) {
    uint64_t key = address << 2 | kind;
    uint32_t at = (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 40);
    for (;; at++) {
        struct known *known = &writer->known[at & writer->known_mask];
        if (known->key == key) return known;
        if (known->key != 0) continue;
        if (writer->known_count > writer->known_mask / 4 * 3) break;
        writer->known_count++;
        known->key = key;
        return known;
    }
    writer->spare = (struct known){.key = key};
    return &writer->spare;
}

static uint64_t address_of(uint64_t word) {
    return word & TRACE_ADDRESS;
}

static uint32_t label_of(uint64_t word) {
    return (uint32_t)(word >> TRACE_LABEL_SHIFT);
}

/* A task that appears for the first time, or in the record of one that is gone. */
static void introduce(struct writer *writer, struct known *task) {
    task->serial = ++writer->tasks;
    task->begun = task->told = task->has_from = false;
    task->other = 0;
}

static struct known *task_of(struct writer *writer, uint64_t word) {
    struct known *task = find(writer, address_of(word), KNOWN_TASK);
    if (task->serial == 0) introduce(writer, task);
    if (label_of(word) != 0) task->label = label_of(word);
    return task;
}

/* ------------------------------------------------------------------------------------------------------------- names */

/* "function" for its first byte, where it is known by name; else its place. */
static void write_function(struct writer *writer, const void *fn, char *name, size_t size) {
    char place[PLACE_SIZE];
    writer->place(fn, place);
    char *from = strchr(place, '('), *to = strstr(place, "+0x0)");
    if (from != NULL && to != NULL && to > from + 1) {
        *to = '\0';
        memmove(place, from + 1, (size_t)(to - from));
    }
    place[size - 1] = '\0';
    memcpy(name, place, size);
}

static const struct text *text_of(struct writer *writer, uint32_t number) {
    static const struct text unknown = {.name = "task"};
    const struct filch__label *label = filch__label_at(number);
    if (label == NULL) return &unknown;
    struct text *text = &writer->texts[number];
    if (text->made) return text;
    text->made = true;
    if (label->name[0] != '\0') {
        memcpy(text->name, label->name, sizeof label->name);
    } else {
        write_function(writer, label->fn, text->name, sizeof text->name);
    }
    if (label->site != NULL) writer->place(label->site, text->site);
    return text;
}

/* What kind of wait: the label's function is the static text. */
static const char *reason_of(uint32_t number) {
    const struct filch__label *label = filch__label_at(number);
    return label == NULL || label->fn == NULL ? "something" : (const char *)label->fn;
}

/* ------------------------------------------------------------------------------------------------------ lines of JSON */

#define say(...) filch__json_say(&writer->json, __VA_ARGS__)

static void say_string(struct writer *writer, const char *text) {
    filch__json_string(&writer->json, text);
}

/* An event's line, which the caller goes on with. */
static void begin_line(struct writer *writer, const char *phase, unsigned tid, uint64_t ns) {
    say(",\n{\"ph\":\"%s\",\"pid\":1,\"tid\":%u,\"ts\":%llu.%03u", phase, tid, (unsigned long long)(ns / 1000),
        (unsigned)(ns % 1000));
}

static void name_line(struct writer *writer, const char *category, const char *name) {
    say(",\"cat\":\"%s\",\"name\":", category);
    say_string(writer, name);
}

static void name_thread(struct writer *writer, unsigned tid, const char *what, unsigned number) {
    say(",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":\"%s %u\"}}", tid, what,
        number);
    say(",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%u,\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}", tid, tid);
}

/* What tells it from others: its address; in a simulation, where that is another each time, a number. */
static void say_object(struct writer *writer, uint64_t object) {
    if (!writer->simulated) {
        say(",\"object\":\"0x%llx\"", (unsigned long long)object);
        return;
    }
    struct known *known = find(writer, object, KNOWN_OBJECT);
    if (known->serial == 0) known->serial = ++writer->objects;
    say(",\"object\":%u", known->serial);
}

static void say_task(struct writer *writer, struct known *task, uint64_t address) {
    const struct text *text = text_of(writer, task->label);
    say("\"task\":%u", task->serial);
    if (task->told) return;
    task->told = true;
    if (!writer->simulated) say(",\"record\":\"0x%llx\"", (unsigned long long)address);
    if (text->site[0] != '\0') {
        say(",\"spawned_at\":");
        say_string(writer, text->site);
    }
}

/* Both ends of an arrow to here, now, if one begins there. */
static void say_arrow(struct writer *writer, struct known *from, const char *name, unsigned tid, uint64_t ns) {
    if (!from->has_from) return;
    from->has_from = false;
    if (from->from_ns > ns) return;
    uint32_t flow = ++writer->flows;
    begin_line(writer, "s", from->from_tid, from->from_ns);
    name_line(writer, "flow", name);
    say(",\"id\":%u}", flow);
    begin_line(writer, "f", tid, ns);
    name_line(writer, "flow", name);
    say(",\"bp\":\"e\",\"id\":%u}", flow);
}

/* ---------------------------------------------------------------------------------------------------------- counters */

static void tell(struct writer *writer, struct counter *counter, uint64_t ns) {
    begin_line(writer, "C", 0, ns);
    if (counter->name != NULL) {
        name_line(writer, "counter", counter->name);
    } else {
        const struct track *track = (const struct track *)(void *)((char *)counter - offsetof(struct track, runnable));
        unsigned worker = track->row->worker;
        say(",\"cat\":\"counter\",\"name\":\"runnable: %s", worker == TRACE_OUTSIDE ? "from outside\"" : "by worker ");
        if (worker != TRACE_OUTSIDE) say("%u\"", worker);
    }
    say(",\"args\":{\"value\":%lld}}", (long long)(counter->value < 0 ? 0 : counter->value));
    counter->told = counter->value;
    counter->told_ns = ns;
}

/* What it has come to, if that has not been told. */
static void tell_last(struct writer *writer, struct counter *counter) {
    if (counter->told != counter->value) tell(writer, counter, counter->changed_ns);
}

/* What it shows for shorter than a step, between two others, is left out; what holds for longer is told when it came. */
static void count(struct writer *writer, struct counter *counter, int change, uint64_t ns) {
    if (writer->counts && ns - counter->changed_ns >= writer->counter_step_ns) tell_last(writer, counter);
    counter->value += change;
    counter->changed_ns = ns;
    if (writer->counts && ns - counter->told_ns >= writer->counter_step_ns) tell(writer, counter, ns);
}

static void each_counter(struct writer *writer, void (*fn)(struct writer *writer, struct counter *counter)) {
    fn(writer, &writer->live);
    fn(writer, &writer->runnable);
    fn(writer, &writer->asleep);
    for (unsigned i = 0; i < writer->copy->row_count; i++) fn(writer, &writer->tracks[i].runnable);
}

static void tell_first(struct writer *writer, struct counter *counter) {
    counter->changed_ns = writer->counts_ns;
    tell(writer, counter, writer->counts_ns);
}

/* Before an event at `ns`. */
static void begin_counters(struct writer *writer, uint64_t ns) {
    if (writer->counts || ns < writer->counts_ns) return;
    writer->counts = true;
    each_counter(writer, tell_first);
}

/* A task, or a waiter, can run from now on; or it does. What there is no room to remember is not counted. */
static void queue(struct writer *writer, struct track *track, struct known *known, uint64_t ns) {
    if (known->queued != 0 || known == &writer->spare) return;
    known->queued = (uint32_t)(track - writer->tracks) + 1;
    count(writer, &track->runnable, 1, ns);
    count(writer, &writer->runnable, 1, ns);
}

static void unqueue(struct writer *writer, struct known *known, uint64_t ns) {
    if (known->queued == 0) return;
    count(writer, &writer->tracks[known->queued - 1].runnable, -1, ns);
    count(writer, &writer->runnable, -1, ns);
    known->queued = 0;
}

static void sleep_or_wake(struct writer *writer, struct track *track, bool asleep, uint64_t ns) {
    if (track->asleep != asleep) count(writer, &writer->asleep, asleep ? 1 : -1, ns);
    track->asleep = asleep;
}

/* ------------------------------------------------------------------------------------------------------------ slices */

static unsigned tid_of(const struct track *track) {
    return track->row->worker + 1;
}

/* Whether the slice is shown: then its line has begun. */
static bool begin_slice(struct writer *writer, struct track *track, struct slice slice, uint64_t ns) {
    if (track->depth++ >= DEPTH_MAX) return false;
    track->open[track->depth - 1] = slice;
    begin_line(writer, "B", tid_of(track), ns);
    return true;
}

static void begin_own_slice(struct writer *writer, struct track *track, const char *name, uint64_t ns) {
    if (!begin_slice(writer, track, (struct slice){0}, ns)) return;
    name_line(writer, "worker", name);
    say("}");
}

/* `waiter`, or NULL, is what it waited in before. */
static void begin_task_slice(struct writer *writer, struct track *track, struct slice slice, const struct known *waiter,
                             uint64_t ns) {
    if (!begin_slice(writer, track, slice, ns)) return;
    struct known *task = task_of(writer, slice.task);
    name_line(writer, slice.of_call ? "forked call" : "task", text_of(writer, task->label)->name);
    say(",\"args\":{");
    say_task(writer, task, slice.task);
    if (waiter != NULL && waiter->waits) {
        say(",\"waited_for\":");
        say_string(writer, reason_of(waiter->label));
        say_object(writer, waiter->other);
        say(",\"waited_ns\":%llu", (unsigned long long)(ns - waiter->since_ns));
    }
    say("}}");
}

/* Whether it was shown: then the line of its end has begun. */
static bool end_slice(struct writer *writer, struct track *track, uint64_t ns) {
    if (track->depth-- > DEPTH_MAX) return false;
    begin_line(writer, "E", tid_of(track), ns);
    return true;
}

static void end_slices(struct writer *writer, struct track *track, uint64_t ns) {
    while (track->depth > 0) {
        if (end_slice(writer, track, ns)) say("}");
    }
}

/* The strand goes on: those that have called its task in place first. */
static void begin_chain(struct writer *writer, struct track *track, struct slice slice, const struct known *waiter,
                        uint64_t ns) {
    uint64_t chain[DEPTH_MAX];
    unsigned depth = 0;
    chain[depth++] = slice.task;
    while (depth < DEPTH_MAX && !slice.of_call) {
        uint64_t caller = find(writer, chain[depth - 1], KNOWN_TASK)->other;
        if (caller == 0) break;
        chain[depth++] = caller;
    }
    while (depth-- > 0) {
        struct slice one = {chain[depth], slice.of_call};
        begin_task_slice(writer, track, one, depth == 0 ? waiter : NULL, ns);
    }
}

/* The task is about to leave the row: it is there, unless what brought it was not traced. */
static void be_there(struct writer *writer, struct track *track, struct slice slice, uint64_t ns) {
    if (track->depth == 0) begin_chain(writer, track, slice, NULL, ns);
}

/* An arrow begins here: there must be a slice for that. */
static void be_at_a_slice(struct writer *writer, struct track *track, unsigned tid, const char *name, uint64_t ns) {
    if (track->depth > 0) return;
    const struct filch__trace_row *row = track->row;
    uint64_t length = row->next < row->count ? row->events[row->next].ns - ns : POINT_NS;
    if (length > POINT_NS) length = POINT_NS;
    begin_line(writer, "X", tid, ns);
    name_line(writer, "point", name);
    say(",\"dur\":0.%03u}", (unsigned)length);
}

static void begin_arrow(struct writer *writer, struct track *track, struct known *from, unsigned tid, const char *name,
                        uint64_t ns) {
    be_at_a_slice(writer, track, tid, name, ns);
    from->has_from = true;
    from->from_tid = tid;
    from->from_ns = ns;
}

/* ------------------------------------------------------------------------------------------------------------ events */

/* The row of a thread that is no worker. */
static unsigned tid_outside(struct writer *writer, uint64_t number) {
    struct known *thread = find(writer, number, KNOWN_THREAD);
    if (thread->serial == 0) {
        thread->serial = ++writer->threads;
        if (thread != &writer->spare) name_thread(writer, OUTSIDE_TID + thread->serial, "thread", (unsigned)number);
    }
    return OUTSIDE_TID + thread->serial;
}

static unsigned tid_of_event(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    return track->row->worker == TRACE_OUTSIDE ? tid_outside(writer, event->words[3]) : tid_of(track);
}

static void on_spawn(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct known *task = find(writer, address_of(event->words[1]), KNOWN_TASK);
    unqueue(writer, task, event->ns); /* the record's former one, whose begin was lost */
    introduce(writer, task);
    task->label = label_of(event->words[1]);
    queue(writer, track, task, event->ns);
    count(writer, &writer->live, 1, event->ns);
    begin_arrow(writer, track, task, tid_of_event(writer, track, event), "spawn", event->ns);
}

/* Under a task that begins or ends is the one that has called it in place, or nothing. */
static void be_under(struct writer *writer, struct track *track, uint64_t caller, uint64_t ns) {
    if (caller == 0) {
        end_slices(writer, track, ns);
    } else {
        task_of(writer, caller);
        be_there(writer, track, (struct slice){.task = address_of(caller)}, ns);
    }
}

static void on_begin(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct slice slice = {.task = address_of(event->words[1])};
    struct known *task = task_of(writer, event->words[1]);
    unqueue(writer, task, event->ns);
    if (task->begun) introduce(writer, task);
    task->begun = true;
    task->other = address_of(event->words[2]);
    be_under(writer, track, event->words[2], event->ns);
    begin_task_slice(writer, track, slice, NULL, event->ns);
    say_arrow(writer, task, "spawn", tid_of(track), event->ns);
}

static void on_end(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct slice slice = {.task = address_of(event->words[1])};
    struct known *task = task_of(writer, event->words[1]);
    task->begun = true;
    task->other = address_of(event->words[2]);
    count(writer, &writer->live, -1, event->ns);
    be_there(writer, track, slice, event->ns);
    if (end_slice(writer, track, event->ns)) {
        say(",\"args\":{\"then\":\"ends\",\"result\":%d}}", (int)(int64_t)event->words[3]);
    }
    be_under(writer, track, event->words[2], event->ns);
}

static void on_call_begin(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct slice slice = {.task = address_of(event->words[1]), .of_call = true};
    task_of(writer, event->words[1]);
    end_slices(writer, track, event->ns);
    begin_task_slice(writer, track, slice, NULL, event->ns);
}

static void on_call_end(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct slice slice = {.task = address_of(event->words[1]), .of_call = true};
    task_of(writer, event->words[1]);
    be_there(writer, track, slice, event->ns);
    end_slices(writer, track, event->ns);
}

/* It waits, or gives way; `line` ends what is said of that. */
static struct known *on_leave(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct slice slice = {address_of(event->words[1]), label_of(event->words[2]) & TRACE_OF_CALL};
    struct known *waiter = find(writer, address_of(event->words[2]), KNOWN_WAITER);
    task_of(writer, event->words[1])->begun = true;
    unqueue(writer, waiter, event->ns); /* another's that was there before, whose going on was lost */
    be_there(writer, track, slice, event->ns);
    while (!end_slice(writer, track, event->ns)) continue;
    return waiter;
}

static void on_wait(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct known *waiter = on_leave(writer, track, event);
    waiter->waits = true;
    waiter->since_ns = event->ns;
    waiter->label = label_of(event->words[3]);
    waiter->other = address_of(event->words[3]);
    say(",\"args\":{\"then\":\"waits\",\"for\":");
    say_string(writer, reason_of(waiter->label));
    say_object(writer, waiter->other);
    say("}}");
    end_slices(writer, track, event->ns);
}

static void on_yield(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct known *waiter = on_leave(writer, track, event);
    waiter->waits = waiter->has_from = false;
    say(",\"args\":{\"then\":\"gives way\"}}");
    end_slices(writer, track, event->ns);
    queue(writer, track, waiter, event->ns);
}

static void on_resume(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct slice slice = {address_of(event->words[1]), label_of(event->words[2]) & TRACE_OF_CALL};
    struct known *waiter = find(writer, address_of(event->words[2]), KNOWN_WAITER);
    task_of(writer, event->words[1])->begun = true;
    unqueue(writer, waiter, event->ns);
    end_slices(writer, track, event->ns);
    begin_chain(writer, track, slice, waiter, event->ns);
    say_arrow(writer, waiter, "wake", tid_of(track), event->ns);
    waiter->waits = false;
}

static void on_wake(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct known *waiter = find(writer, address_of(event->words[2]), KNOWN_WAITER);
    if (waiter->waits) queue(writer, track, waiter, event->ns);
    begin_arrow(writer, track, waiter, tid_of_event(writer, track, event), "wake", event->ns);
}

static void say_instant(struct writer *writer, struct track *track, const char *name, uint64_t ns) {
    begin_line(writer, "i", tid_of(track), ns);
    name_line(writer, "instant", name);
    say(",\"s\":\"t\"");
}

static void on_steal(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    struct known *task = task_of(writer, event->words[1]);
    say_instant(writer, track, "steal", event->ns);
    say(",\"args\":{\"from\":\"worker %u\",\"task\":%u,\"name\":", (unsigned)event->words[2], task->serial);
    say_string(writer, text_of(writer, task->label)->name);
    say("}}");
}

static void on_poll(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    say_instant(writer, track, "poll", event->ns);
    say(",\"args\":{\"events\":%u}}", (unsigned)event->words[2]);
}

static void on_mark(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    const struct filch__label *label = filch__label_at((uint32_t)event->words[2]);
    say_instant(writer, track, label == NULL || label->name[0] == '\0' ? "mark" : label->name, event->ns);
    say("}");
}

/* A slice of the worker's own ends, if there is one. */
static void end_own_slice(struct writer *writer, struct track *track, uint64_t ns) {
    bool there = track->depth > DEPTH_MAX || (track->depth > 0 && track->open[track->depth - 1].task == 0);
    if (there && end_slice(writer, track, ns)) say("}");
}

/* ------------------------------------------------------------------------------------------ how a row begins */

static enum trace_kind kind_of(const struct filch__trace_event *event) {
    return (enum trace_kind)(event->words[0] & ((1 << TRACE_KIND_BITS) - 1));
}

/* The worker runs the strand when its row begins, whatever became of the event that tells of that. */
static void begin_row_with(struct writer *writer, struct track *track, uint64_t task, uint64_t waiter, uint64_t ns) {
    struct slice slice = {address_of(task), label_of(waiter) & TRACE_OF_CALL};
    task_of(writer, task)->begun = true;
    begin_chain(writer, track, slice, NULL, ns);
}

/*
 * What an event tells of what the worker was at since its row began: the slices of that are begun. False: nothing, so that
 * a later one tells.
 */
static bool tells_of_before(struct writer *writer, struct track *track, const struct filch__trace_event *event,
                            uint64_t ns) {
    switch (kind_of(event)) {
    case TRACE_WAIT:
    case TRACE_YIELD:
        begin_row_with(writer, track, event->words[1], event->words[2], ns);
        return true;
    case TRACE_END:
        task_of(writer, event->words[1])->other = address_of(event->words[2]);
        if (event->words[2] != 0) task_of(writer, event->words[2]);
        begin_row_with(writer, track, event->words[1], 0, ns);
        return true;
    case TRACE_CALL_END:
        begin_row_with(writer, track, event->words[1], (uint64_t)TRACE_OF_CALL << TRACE_LABEL_SHIFT, ns);
        return true;
    case TRACE_BEGIN: /* in place: its caller ran */
        if (event->words[2] != 0) begin_row_with(writer, track, event->words[2], 0, ns);
        return true;
    case TRACE_BLOCK:
    case TRACE_UNBLOCK:
        begin_row_with(writer, track, event->words[1], 0, ns);
        if (kind_of(event) == TRACE_UNBLOCK) begin_own_slice(writer, track, "blocked", ns);
        return true;
    case TRACE_AWAKE:
        begin_own_slice(writer, track, "asleep", ns);
        return true;
    case TRACE_RESUME:
    case TRACE_CALL_BEGIN:
    case TRACE_SLEEP:
        return true;
    default:
        return false;
    }
}

/* Where nothing was lost, the row begins with the trace, else with the first event that is left. */
static void begin_row(struct writer *writer, struct track *track) {
    const struct filch__trace_row *row = track->row;
    if (row->worker == TRACE_OUTSIDE) return;
    uint64_t ns = row->lost > 0 ? row->events[0].ns : 0;
    for (uint64_t i = 0; i < row->count; i++) {
        if (tells_of_before(writer, track, &row->events[i], ns)) return;
    }
}

static void on_event(struct writer *writer, struct track *track, const struct filch__trace_event *event) {
    begin_counters(writer, event->ns);
    if (event == track->row->events) begin_row(writer, track);
    switch (kind_of(event)) {
    case TRACE_SPAWN:
        return on_spawn(writer, track, event);
    case TRACE_BEGIN:
        return on_begin(writer, track, event);
    case TRACE_END:
        return on_end(writer, track, event);
    case TRACE_CALL_BEGIN:
        return on_call_begin(writer, track, event);
    case TRACE_CALL_END:
        return on_call_end(writer, track, event);
    case TRACE_WAIT:
        return on_wait(writer, track, event);
    case TRACE_YIELD:
        return on_yield(writer, track, event);
    case TRACE_RESUME:
        return on_resume(writer, track, event);
    case TRACE_WAKE:
        return on_wake(writer, track, event);
    case TRACE_STEAL:
        return on_steal(writer, track, event);
    case TRACE_POLL:
        return on_poll(writer, track, event);
    case TRACE_SLEEP:
        sleep_or_wake(writer, track, true, event->ns);
        end_slices(writer, track, event->ns);
        return begin_own_slice(writer, track, "asleep", event->ns);
    case TRACE_AWAKE:
        sleep_or_wake(writer, track, false, event->ns);
        return end_own_slice(writer, track, event->ns);
    case TRACE_BLOCK:
        return begin_own_slice(writer, track, "blocked", event->ns);
    case TRACE_UNBLOCK:
        return end_own_slice(writer, track, event->ns);
    case TRACE_MARK:
        return on_mark(writer, track, event);
    }
}

/* --------------------------------------------------------------------------------------------------------------- all */

static const char *const clock_names[] = {"processor", "system", "simulated"};

static void say_head(struct writer *writer) {
    const struct filch__trace_copy *copy = writer->copy;
    const struct filch_runtime *runtime = copy->trace->runtime;
    say("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"clock\":\"%s\",\"started_ns\":%lld,\"workers\":%u,\"events\":%"
        "llu,"
        "\"lost\":%llu},\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_name\",\"args\":{"
        "\"name\":",
        clock_names[copy->trace->clock], (long long)copy->started.ns, runtime->worker_count,
        (unsigned long long)copy->count, (unsigned long long)copy->lost);
    say_string(writer, runtime->name);
    say("}}");
    for (unsigned i = 0; i < copy->row_count; i++) {
        unsigned worker = copy->rows[i].worker;
        if (worker == TRACE_OUTSIDE) continue;
        name_thread(writer, worker + 1, worker < runtime->worker_count ? "worker" : "spare", worker);
    }
}

/* Whether the worker sleeps when its row begins: then it wakes first. Of one that has done nothing, what it does now. */
static bool begins_asleep(struct filch_runtime *runtime, const struct filch__trace_row *row) {
    if (row->worker == TRACE_OUTSIDE) return false;
    for (uint64_t i = 0; i < row->count; i++) {
        enum trace_kind kind = kind_of(&row->events[i]);
        if (kind == TRACE_AWAKE || kind == TRACE_SLEEP) return kind == TRACE_AWAKE;
    }
    struct filch__worker *worker = filch__runtime_worker(runtime, row->worker);
    return row->count == 0 && load_relaxed(&worker->rests) == RESTS_ASLEEP; /* a glance */
}

/* Spawned without those that have ended. */
static int64_t balance(const struct filch__trace_row *row) {
    int64_t tasks = 0;
    for (uint64_t i = 0; i < row->count; i++) {
        enum trace_kind kind = kind_of(&row->events[i]);
        tasks += (kind == TRACE_SPAWN) - (kind == TRACE_END);
    }
    return tasks;
}

/* Tasks are counted from how many there were at the start, or, where events were lost, back from how many are left. */
static void prepare_counters(struct writer *writer) {
    struct filch__trace_copy *copy = writer->copy;
    writer->live = (struct counter){.name = "tasks", .value = copy->lost > 0 ? copy->end_tasks : copy->started.tasks};
    writer->runnable.name = "runnable";
    writer->asleep.name = "workers asleep";
    for (unsigned i = 0; i < copy->row_count; i++) {
        struct track *track = &writer->tracks[i];
        track->asleep = begins_asleep(copy->trace->runtime, track->row);
        writer->asleep.value += track->asleep;
        if (copy->lost > 0) writer->live.value -= balance(track->row);
        if (track->row->lost == 0) continue;
        uint64_t from_ns = track->row->count > 0 ? track->row->events[0].ns : copy->end_ns;
        if (from_ns > writer->counts_ns) writer->counts_ns = from_ns;
    }
    writer->counter_step_ns = (copy->end_ns - writer->counts_ns) / COUNTER_STEPS;
}

static struct writer *writer_make(struct filch__trace_copy *copy) {
    uint64_t wanted = 3 * copy->count + 64, room = 256;
    while (room < wanted + wanted / 3 && room < KNOWN_MAX) room *= 2;
    size_t tracks = copy->row_count * sizeof(struct track);
    size_t bytes = sizeof(struct writer) + 64 + tracks + room * sizeof(struct known);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    struct writer *writer = memory;
    writer->copy = copy;
    writer->bytes = bytes;
    writer->simulated = copy->trace->clock == TRACE_SIMULATED;
    writer->tracks = (struct track *)(void *)(writer + 1);
    writer->known = (struct known *)(void *)((char *)writer->tracks + tracks);
    writer->known_mask = (uint32_t)room - 1;
    for (unsigned i = 0; i < copy->row_count; i++) writer->tracks[i].row = &copy->rows[i];
    return writer;
}

int filch__trace_write(struct filch__trace_copy *copy, int fd, filch__place_fn *place) {
    struct writer *writer = writer_make(copy);
    if (writer == NULL) return -ENOMEM;
    writer->json.fd = fd;
    writer->place = place;
    say_head(writer);
    prepare_counters(writer);
    const struct filch__trace_event *event;
    struct filch__trace_row *row;
    while ((event = filch__trace_next(copy, &row)) != NULL && writer->json.error == 0) {
        on_event(writer, &writer->tracks[row - copy->rows], event);
    }
    for (unsigned i = 0; i < copy->row_count; i++) end_slices(writer, &writer->tracks[i], copy->end_ns);
    begin_counters(writer, copy->end_ns);
    each_counter(writer, tell_last);
    say("\n]}\n");
    filch__json_flush(&writer->json);
    int answer = writer->json.error != 0 ? writer->json.error : copy->count > INT_MAX ? INT_MAX : (int)copy->count;
    munmap(writer, writer->bytes);
    return answer;
}
