/* SPDX-License-Identifier: MIT */
/*
 * The explorer's heart: virtual threads, store buffers, the choice of who goes next. C11's memory is in orders.c, races
 * in races.c, and the choice where all are to be gone through in exhaust.c.
 *
 * Agents are what can be chosen: virtual thread i goes on (agent i), the oldest entry of its store buffer reaches
 * memory (agent THREADS + i), the clock jumps to the next deadline (agent CLOCK).
 *
 * Store buffers. While a virtual thread runs, memory looks as that thread sees it: its buffered stores are in place,
 * and each entry of its buffer remembers what it has covered. When another takes over, they are taken back, and put in
 * place again when it comes back. So the program's plain accesses, by which an owner may read its own atomic fields,
 * see what they ought to. An entry whose place no longer holds its value when it is to be taken back was overwritten by
 * a plain store (a stack is used anew): then it has reached memory. Taking back and putting in place are done on the
 * program's own stack, since an entry's place may be on the virtual thread's.
 */
#include "tests/explore/explore.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/barrier.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/random.h"
#include "context/context.h"
#include "sched/worker.h"
#include "tests/explore/exhaust.h"
#include "tests/explore/orders.h"
#include "tests/explore/races.h"

enum {
    THREADS = EXPLORE_THREADS,
    CLOCK = 2 * THREADS,
    AGENTS,
    BUFFER = 16, /* entries of a store buffer */
    STACK_SIZE = 128 << 10,
    FAIR_AFTER = 20000, /* events after which a schedule by priorities becomes a random walk */
    EVENTS_MAX = 60000, /* a schedule that has not ended by then does not end */
    CHANGES_MAX = 6,    /* changes of priority in one schedule */
    CONTEXTS = 256,
    CLOCK_TICK_NS = 4000, /* from one reading of the clock to the next */
};

enum state { RUNNABLE, BLOCKED_FUTEX, BLOCKED_JOIN, ENDED };

struct entry {
    void *place;
    uint64_t value, covered;
    unsigned size;
};

struct thread {
    enum state state;
    void *context;            /* saved, but for the one that runs */
    void *(*routine)(void *); /* what it runs: this, or */
    void (*fn)(void *);
    void *arg;
    struct filch__hot *here; /* its filch__current */
    /* blocked on */
    uint32_t *word;
    int64_t deadline_ns;
    bool expired;
    unsigned joined;
    /* what it did last, for reports */
    const char *function;
    int line;
    bool spun;
    bool waits;                 /* has spun, and nobody has written since: it would see the same again */
    bool fresh;                 /* has spun or slept: it is to see what is the newest by now */
    bool stale;                 /* has read since what was not the newest, or the clock */
    struct exhaust_access next; /* what it does when it goes on */
    /* the store buffer, oldest first */
    unsigned stores;
    struct entry store[BUFFER];
};

static struct {
    const struct explore_settings *settings;
    struct thread threads[THREADS];
    unsigned count, current;
    uint64_t events;
    int64_t clock_ns;
    struct filch__random random;
    bool running;
    /* strategy */
    bool by_priority;
    uint32_t stay_in, flush_in, spurious_in, stale_in; /* one event in so many */
    int32_t priority[AGENTS];
    int32_t lowest;
    unsigned changes;
    uint64_t change_at[CHANGES_MAX];
    /* contexts that are saved and wait for their jump */
    unsigned context_count;
    struct {
        void *context;
        filch__entry_fn *entry; /* of one that was made and not jumped to yet */
        struct orders_moment saved;
    } contexts[CONTEXTS];
    filch__entry_fn *entry; /* of the one that is jumped to */
    /* the program's own */
    void *home;
    unsigned next;
    bool cut_off;
    char verdict[1024];
} now;

struct explore_scenario *explore_scenarios;
static char *thread_stacks;
static sigjmp_buf crash_home;

extern FILCH_API _Thread_local struct filch__hot *filch__current __attribute__((tls_model("initial-exec")));
struct filch__transfer jump_fcontext(void *target, void *data);
void *make_fcontext(void *top, size_t size, filch__entry_fn *entry);

void explore_register(struct explore_scenario *scenario) {
    struct explore_scenario **at = &explore_scenarios;
    while (*at != NULL && strcmp((*at)->name, scenario->name) < 0) at = &(*at)->next;
    scenario->next = *at;
    *at = scenario;
}

/* ------------------------------------------------------------------------------------------------- store buffers */

static uint64_t read_place(const void *place, unsigned size) {
    uint64_t value = 0;
    memcpy(&value, place, size);
    return value;
}

static void take_back(struct thread *thread) {
    for (unsigned i = thread->stores; i-- > 0;) {
        struct entry *entry = &thread->store[i];
        if (read_place(entry->place, entry->size) == entry->value) {
            memcpy(entry->place, &entry->covered, entry->size);
        } else {
            entry->size = 0; /* overwritten by a plain store */
        }
    }
}

static void put_in_place(struct thread *thread) {
    for (unsigned i = 0; i < thread->stores; i++) {
        struct entry *entry = &thread->store[i];
        entry->covered = read_place(entry->place, entry->size);
        memcpy(entry->place, &entry->value, entry->size);
    }
}

/* The oldest store reaches memory. */
static void flush_one(unsigned index) {
    struct thread *thread = &now.threads[index], *current = &now.threads[now.current];
    struct entry entry = thread->store[0];
    memmove(thread->store, thread->store + 1, --thread->stores * sizeof entry);
    if (now.settings->trace)
        fprintf(stderr, "%6llu  thread %u's store to %p reaches memory\n", (unsigned long long)now.events, index,
                entry.place);
    if (thread == current) return; /* it is in place */
    for (unsigned i = 0; i < current->stores; i++) {
        if (current->store[i].place == entry.place && current->store[i].size != 0) {
            current->store[i].covered = entry.value; /* under what the running one has stored */
            return;
        }
    }
    memcpy(entry.place, &entry.value, entry.size);
}

/* -------------------------------------------------------------------------------------------------------- choice */

uint32_t explore_choose(uint32_t count) {
    if (now.settings->exhaust) return exhaust_choose(count);
    return filch__choose(&now.random, CHOICE_VICTIM, count);
}

static bool can_expire(const struct thread *thread) {
    return thread->state == BLOCKED_FUTEX && thread->deadline_ns != INT64_MAX;
}

static bool agent_is_enabled(unsigned agent) {
    if (agent < THREADS) {
        const struct thread *thread = &now.threads[agent];
        if (thread->state == BLOCKED_JOIN) return now.threads[thread->joined].state == ENDED;
        return thread->state == RUNNABLE;
    }
    if (agent < CLOCK) return now.threads[agent - THREADS].stores > 0;
    for (unsigned i = 0; i < now.count; i++) {
        if (can_expire(&now.threads[i])) return true;
    }
    return false;
}

/* The clock jumps to the earliest deadline. */
static void advance_clock(void) {
    int64_t earliest_ns = INT64_MAX;
    for (unsigned i = 0; i < now.count; i++) {
        struct thread *thread = &now.threads[i];
        if (can_expire(thread) && thread->deadline_ns < earliest_ns) earliest_ns = thread->deadline_ns;
    }
    if (now.clock_ns < earliest_ns) now.clock_ns = earliest_ns;
    if (now.settings->trace) fprintf(stderr, "%6llu  time passes\n", (unsigned long long)now.events);
    for (unsigned i = 0; i < now.count; i++) {
        struct thread *thread = &now.threads[i];
        if (!can_expire(thread) || thread->deadline_ns > now.clock_ns) continue;
        thread->expired = true;
        thread->state = RUNNABLE;
    }
}

/* Every thread that can go on. One that spins: when another has written, or no other can. The clock: when nobody can. */
static unsigned choose_exhaustively(void) {
    struct exhaust_access accesses[THREADS] = {0};
    unsigned enabled = 0, spinning = 0;
    for (unsigned i = 0; i < now.count; i++) {
        accesses[i] = now.threads[i].next;
        if (agent_is_enabled(i)) *(now.threads[i].waits ? &spinning : &enabled) |= 1u << i;
    }
    if (enabled == 0) enabled = spinning; /* what they wait for is the time */
    if (enabled == 0) return agent_is_enabled(CLOCK) ? CLOCK : AGENTS;
    unsigned next = exhaust_next(enabled, now.current, accesses);
    now.cut_off = next == THREADS;
    return next;
}

/* A random walk: one of the enabled threads, sometimes a flush, rarely the clock. AGENTS: none is enabled. */
static unsigned choose_at_random(bool stay) {
    unsigned enabled[AGENTS], count = 0, buffers = 0;
    if (stay && explore_choose(now.stay_in) != 0 && agent_is_enabled(now.current)) return now.current;
    for (unsigned i = 0; i < now.count; i++) {
        if (now.threads[i].stores > 0) enabled[buffers++] = THREADS + i;
    }
    if (buffers > 0 && explore_choose(now.flush_in) == 0) return enabled[explore_choose(buffers)];
    bool clock = agent_is_enabled(CLOCK);
    if (clock && explore_choose(16) == 0) return CLOCK;
    for (unsigned i = 0; i < now.count; i++) {
        if (agent_is_enabled(i)) enabled[count++] = i;
    }
    if (count > 1 && !stay) { /* it spins: another must come first */
        for (unsigned i = 0; i < count; i++) {
            if (enabled[i] == now.current) enabled[i] = enabled[--count];
        }
    }
    if (count > 0) return enabled[explore_choose(count)];
    if (buffers > 0) {
        for (unsigned i = 0; i < now.count; i++) {
            if (now.threads[i].stores > 0) return THREADS + i;
        }
    }
    return clock ? CLOCK : AGENTS;
}

/* PCT (Burckhardt et al. 2010): the enabled one of the highest priority, which changes at few events. */
static unsigned choose_by_priority(bool stay) {
    if (!stay) now.priority[now.current] = --now.lowest;
    for (unsigned i = 0; i < now.changes; i++) {
        if (now.events == now.change_at[i]) now.priority[now.current] = --now.lowest;
    }
    unsigned best = AGENTS;
    for (unsigned i = 0; i < now.count; i++) {
        if (agent_is_enabled(i) && (best == AGENTS || now.priority[i] > now.priority[best])) best = i;
        unsigned flush = THREADS + i;
        if (now.threads[i].stores > 0 && (best == AGENTS || now.priority[flush] > now.priority[best])) best = flush;
    }
    if (agent_is_enabled(CLOCK) && (best == AGENTS || now.priority[CLOCK] > now.priority[best])) best = CLOCK;
    return best;
}

static void choose_strategy(void) {
    static const uint32_t stay_in[] = {2, 4, 16}, flush_in[] = {2, 8, 64}, stale_in[] = {0, 2, 4, 16};
    now.by_priority = explore_choose(2) == 0;
    now.stay_in = stay_in[explore_choose(3)];
    now.flush_in = flush_in[explore_choose(3)];
    now.spurious_in = explore_choose(4) == 0 ? 8 : 0;
    if (now.settings->memory == MEMORY_C11) now.stale_in = stale_in[explore_choose(4)];
    now.lowest = 0;
    for (unsigned i = 0; i < AGENTS; i++) {
        now.priority[i] = (int32_t)(1 + explore_choose(1 << 20));
        if (i >= THREADS && explore_choose(2) == 0) now.priority[i] = --now.lowest; /* late stores, late time-outs */
    }
    uint64_t length = (uint64_t)1 << (3 + explore_choose(8));
    now.changes = explore_choose(CHANGES_MAX + 1);
    for (unsigned i = 0; i < now.changes; i++) now.change_at[i] = 1 + explore_choose((uint32_t)length);
}

uint32_t explore_choose_age(uint32_t count) {
    if (now.settings->exhaust) return exhaust_choose(count);
    if (count <= 1 || now.stale_in == 0 || explore_choose(now.stale_in) != 0) return 0;
    return explore_choose(count);
}

/* ------------------------------------------------------------------------------------------------- ends and jumps */

static _Noreturn void go_home(void) {
    now.running = false;
    races_ignore();
    jump_fcontext(now.home, NULL);
    abort();
}

_Noreturn void explore_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = snprintf(now.verdict, sizeof now.verdict, "thread %u: ", now.current);
    vsnprintf(now.verdict + length, sizeof now.verdict - (size_t)length, format, arguments);
    va_end(arguments);
    go_home();
}

static void tell_blocked(void) {
    size_t used = (size_t)snprintf(now.verdict, sizeof now.verdict, "all are blocked, a wake-up was lost:");
    for (unsigned i = 0; i < now.count && used < sizeof now.verdict; i++) {
        const struct thread *thread = &now.threads[i];
        if (thread->state == ENDED) continue;
        const char *how = thread->state == BLOCKED_FUTEX ? "sleeps, last at" : "waits for an end, last at";
        used += (size_t)snprintf(now.verdict + used, sizeof now.verdict - used, " [thread %u %s %s:%d]", i, how,
                                 thread->function == NULL ? "its start" : thread->function, thread->line);
    }
}

static bool all_ended(void) {
    for (unsigned i = 0; i < now.count; i++) {
        if (now.threads[i].state != ENDED) return false;
    }
    return true;
}

/* Lets others have their turn until a thread is chosen: that one's index, or THREADS: the schedule ends. */
static unsigned choose(bool stay) {
    for (;;) {
        if (++now.events == FAIR_AFTER) now.by_priority = false;
        if (now.events > EVENTS_MAX) {
            snprintf(now.verdict, sizeof now.verdict, "no end after %d events, thread %u is at %s:%d", EVENTS_MAX,
                     now.current, now.threads[now.current].function, now.threads[now.current].line);
            return THREADS;
        }
        unsigned agent;
        if (now.settings->exhaust)
            agent = choose_exhaustively();
        else
            agent = now.by_priority ? choose_by_priority(stay) : choose_at_random(stay);
        stay = true;
        if (agent < THREADS || now.cut_off) return agent;
        if (agent == AGENTS) {
            if (!all_ended()) tell_blocked();
            return THREADS;
        }
        if (agent == CLOCK) {
            advance_clock();
        } else {
            flush_one(agent - THREADS);
        }
    }
}

/* The running virtual thread lets others have their turn; not `stay`: it spins, and others come first. */
static void turn(bool stay) {
    unsigned next = choose(stay);
    if (next == THREADS) go_home();
    if (next == now.current) return;
    now.next = next;
    now.home = jump_fcontext(now.home, NULL).from;
}

/* On the program's own stack: switches between virtual threads until the schedule ends. */
static void run_threads(void) {
    while (now.running) {
        struct thread *thread = &now.threads[now.next];
        now.current = now.next;
        put_in_place(thread);
        filch__current = thread->here;
        if (now.settings->memory == MEMORY_C11) races_watch(now.current);
        thread->context = jump_fcontext(thread->context, NULL).from;
        thread->here = filch__current;
        take_back(thread);
    }
}

static void thread_entry(struct filch__transfer transfer) {
    now.home = transfer.from;
    struct thread *self = &now.threads[now.current];
    if (self->routine != NULL) {
        self->routine(self->arg);
    } else {
        self->fn(self->arg);
    }
    self->state = ENDED;
    turn(true);
    abort(); /* nobody chooses it again */
}

/* -------------------------------------------------------------------------------------------------------- events */

/* The running virtual thread is about to do something at `function`:`line`. */
static struct thread *arrive(const void *object, struct exhaust_access next, const char *function, int line) {
    struct thread *self = &now.threads[now.current];
    self->function = function;
    self->line = line;
    self->spun = false;
    self->next = next;
    turn(true);
    self->next = (struct exhaust_access){0};
    if (next.kind >= ACCESS_WRITES) {
        for (unsigned i = 0; i < now.count; i++) now.threads[i].waits = false;
        self->fresh = false;
    }
    if (now.settings->trace) {
        fprintf(stderr, "%6llu  thread %u  %s:%d %p\n", (unsigned long long)now.events, now.current, function, line,
                object);
    }
    if (explore_memory_is_freed(object)) {
        explore_fail("%s:%d uses %p, which was freed", function, line, object);
    }
    return self;
}

void explore_event(const void *object, const char *function, int line) {
    if (!now.running) return;
    struct exhaust_access next = {object, object == NULL ? ACCESS_ALL : ACCESS_WRITES, true};
    arrive(NULL, next, function, line)->stores = 0; /* they are in place */
}

static bool is_c11(void) {
    return now.running && now.settings->memory == MEMORY_C11;
}

/* An atomic access: returns its order, and tells in `*self` who makes it; NULL: there is no schedule. */
static unsigned access_begins(struct thread **self, const void *object, unsigned size, char kind, int order,
                              const char *function, int line) {
    static const unsigned orders[] = {
        [__ATOMIC_RELAXED] = 0,
        [__ATOMIC_ACQUIRE] = ORDER_ACQUIRE,
        [__ATOMIC_RELEASE] = ORDER_RELEASE,
        [__ATOMIC_ACQ_REL] = ORDER_ACQUIRE | ORDER_RELEASE,
        [__ATOMIC_SEQ_CST] = ORDER_ACQUIRE | ORDER_RELEASE | ORDER_EXACT,
    };
    *self = NULL;
    if (!now.running) return 0;
    const struct explore_settings *settings = now.settings;
    bool library = line > 0 || strncmp(function, "filch__", 7) == 0; /* the latter: its inline functions */
    line = abs(line);
    struct explore_site site = {function, line, kind, orders[order]};
    if (kind == 'l') site.order &= ~(unsigned)ORDER_RELEASE;
    if (kind == 's') site.order &= ~(unsigned)ORDER_ACQUIRE;
    if (settings->visit != NULL && library) settings->visit(&site);
    if (line == settings->weakened.line && kind == settings->weakened.kind &&
        strcmp(function, settings->weakened.function) == 0) {
        site.order &= settings->weakened.order;
    }
    bool exact = site.order & ORDER_EXACT;
    struct exhaust_access next = {object, kind == 'l' ? ACCESS_READS : ACCESS_WRITES, exact};
    *self = arrive(object, next, function, line);
    if (is_c11()) races_atomic(object, size, kind != 'l', function, line);
    return site.order;
}

static void has_read(struct thread *self, uint64_t value, unsigned age) {
    if (age > 0) self->stale = true;
    if (!now.settings->trace) return;
    fprintf(stderr, "%6s  reads %llx", "", (unsigned long long)value);
    fprintf(stderr, age == 0 ? "\n" : ", the newest but %u\n", age);
}

uint64_t filch__explore_load(const void *object, size_t size, int order, const char *function, int line) {
    struct thread *self;
    unsigned how = access_begins(&self, object, (unsigned)size, 'l', order, function, line), age = 0;
    if (!is_c11()) return read_place(object, (unsigned)size);
    uint64_t value = orders_load(now.current, object, (unsigned)size, how, self->fresh, &age);
    has_read(self, value, age);
    return value;
}

static void store_buffered(struct thread *self, void *object, uint64_t value, size_t size) {
    if (self->stores == BUFFER) flush_one(now.current);
    struct entry *entry = &self->store[self->stores++];
    *entry = (struct entry){.place = object, .size = (unsigned)size, .covered = read_place(object, (unsigned)size)};
    memcpy(&entry->value, &value, size);
}

void filch__explore_store(void *object, uint64_t value, size_t size, int order, const char *function, int line) {
    struct thread *self;
    unsigned how = access_begins(&self, object, (unsigned)size, 's', order, function, line);
    if (is_c11()) {
        orders_store(now.current, object, (unsigned)size, how, value);
        return;
    }
    if (self != NULL && how & ORDER_EXACT) self->stores = 0; /* they are in place */
    if (self != NULL && !(how & ORDER_EXACT) && now.settings->memory == MEMORY_TSO) {
        store_buffered(self, object, value, size);
    }
    memcpy(object, &value, size);
}

static uint64_t updated(uint64_t before, enum filch__explore_update update, uint64_t operand) {
    switch (update) {
    case FILCH__exchange_n:
        return operand;
    case FILCH__fetch_add:
        return before + operand;
    case FILCH__fetch_sub:
        return before - operand;
    case FILCH__fetch_or:
        return before | operand;
    case FILCH__fetch_and:
        return before & operand;
    }
    return before;
}

uint64_t filch__explore_update(void *object, enum filch__explore_update update, uint64_t operand, size_t size,
                               int order, const char *function, int line) {
    struct thread *self;
    unsigned how = access_begins(&self, object, (unsigned)size, 'u', order, function, line);
    if (self != NULL) self->stores = 0;
    uint64_t before = is_c11() ? orders_newest(object, (unsigned)size) : read_place(object, (unsigned)size);
    uint64_t after = updated(before, update, operand);
    if (is_c11()) {
        has_read(self, before, 0);
        orders_update(now.current, object, (unsigned)size, how, after);
    } else {
        memcpy(object, &after, size);
    }
    return before;
}

bool filch__explore_cas(void *object, void *expected, uint64_t value, size_t size, int order, const char *function,
                        int line) {
    struct thread *self;
    unsigned how = access_begins(&self, object, (unsigned)size, 'c', order, function, line), age = 0;
    if (self != NULL) self->stores = 0;
    uint64_t wanted = read_place(expected, (unsigned)size), seen = wanted;
    if (is_c11()) {
        bool taken = orders_cas(now.current, object, (unsigned)size, how, wanted, value, &seen, &age);
        has_read(self, seen, age);
        if (!taken) memcpy(expected, &seen, size);
        return taken;
    }
    seen = read_place(object, (unsigned)size);
    memcpy(seen == wanted ? object : expected, seen == wanted ? &value : &seen, size);
    return seen == wanted;
}

void explore_put(void *object) {
    explore_event(object, __func__, __LINE__);
    if (is_c11()) orders_put(now.current, object);
}

void explore_get(void *object) {
    if (is_c11()) orders_get(now.current, object);
}

/* Spinning on is one event, however many turns it takes. */
void filch__explore_spin(const char *function, int line) {
    if (!now.running) return;
    struct thread *self = &now.threads[now.current];
    if (self->spun) return;
    self->function = function;
    self->line = line;
    self->spun = self->fresh = true;
    self->waits = !self->stale; /* else it need not wait for anybody to see something else */
    self->stale = false;
    turn(false);
    self->waits = false;
}

/* --------------------------------------------------------------------- stand-ins: futex, barrier, clock, pthreads */

/* The kernel's futex calls pass a full barrier on the way to their hash bucket. */
bool filch__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns) {
    explore_event(word, __func__, __LINE__);
    struct thread *self = &now.threads[now.current];
    self->fresh = true; /* as the kernel does, who would have been woken in vain otherwise */
    if (*word != expected) return true;
    if (now.spurious_in != 0 && explore_choose(now.spurious_in) == 0) return true;
    self->word = word;
    self->deadline_ns = deadline_ns;
    self->expired = false;
    self->state = BLOCKED_FUTEX;
    turn(true);
    self->fresh = true;
    return !self->expired;
}

void filch__futex_wake(uint32_t *word, int count) {
    explore_event(word, __func__, __LINE__);
    unsigned first = explore_choose(now.count);
    for (unsigned i = 0; i < now.count && count > 0; i++) {
        struct thread *thread = &now.threads[(first + i) % now.count];
        if (thread->state != BLOCKED_FUTEX || thread->word != word) continue;
        thread->state = RUNNABLE;
        count--;
    }
}

bool filch__barrier_register(void) {
    return true;
}

/* The others pass their part of it one after the other, and what they do in between is in between. */
static void fence_others(void) {
    unsigned caller = now.current, done = 1u << caller, count = now.count;
    while (done != (1u << count) - 1) {
        unsigned other = explore_choose(count);
        while (done >> other & 1) other = (other + 1) % count;
        orders_fence(caller, other);
        done |= 1u << other;
        explore_event(NULL, __func__, __LINE__);
    }
}

bool filch__barrier_all(void) {
    explore_event(NULL, __func__, __LINE__);
    for (unsigned i = 0; i < now.count; i++) {
        while (now.threads[i].stores > 0) flush_one(i);
    }
    if (is_c11()) fence_others();
    return true;
}

int64_t filch__clock_now(void) {
    if (now.running) arrive(NULL, (struct exhaust_access){0}, __func__, __LINE__)->stale = true;
    return now.clock_ns += CLOCK_TICK_NS;
}

int64_t filch__clock_add(int64_t from_ns, int64_t duration_ns) {
    if (duration_ns < 0) return from_ns;
    return duration_ns > INT64_MAX - from_ns ? INT64_MAX : from_ns + duration_ns;
}

static unsigned start(void *(*routine)(void *), void (*fn)(void *), void *arg) {
    if (now.count == THREADS) explore_fail("the scenario starts more than %d threads", THREADS);
    unsigned index = now.count;
    char *top = thread_stacks + (index + 1) * (size_t)STACK_SIZE;
    now.threads[index] = (struct thread){
        .state = RUNNABLE,
        .context = make_fcontext(top, STACK_SIZE, thread_entry),
        .routine = routine,
        .fn = fn,
        .arg = arg,
        .here = &filch__nobody,
    };
    now.count++;
    if (is_c11()) orders_then(now.current, index);
    return index;
}

unsigned explore_start(void (*fn)(void *arg), void *arg) {
    while (now.threads[now.current].stores > 0) flush_one(now.current); /* the kernel's part in a thread's start */
    return start(NULL, fn, arg);
}

void explore_join(unsigned thread) {
    explore_event(NULL, __func__, __LINE__);
    struct thread *self = &now.threads[now.current];
    self->joined = thread;
    self->state = BLOCKED_JOIN;
    turn(true);
    self->state = RUNNABLE;
    if (is_c11()) orders_then(thread, now.current);
    while (now.threads[thread].stores > 0) flush_one(thread); /* the kernel's part in a thread's end */
}

/* What pthread.h's functions are called where the library is compiled for the explorer: see CMakeLists.txt. */
int filch__explore_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
                                  void *arg);
int filch__explore_pthread_join(pthread_t thread, void **result);
int filch__explore_pthread_setname_np(pthread_t thread, const char *name);
pthread_t filch__explore_pthread_self(void);
int filch__explore_nanosleep(const struct timespec *duration, struct timespec *left);
int filch__explore_sched_yield(void);

int filch__explore_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*routine)(void *),
                                  void *arg) {
    (void)attributes;
    explore_event(NULL, __func__, __LINE__);
    *thread = start(routine, NULL, arg);
    return 0;
}

int filch__explore_pthread_join(pthread_t thread, void **result) {
    (void)result;
    explore_join((unsigned)thread);
    return 0;
}

int filch__explore_pthread_setname_np(pthread_t thread, const char *name) {
    (void)thread, (void)name;
    return 0;
}

/* Aligned as an address is: low bits are used for marks. */
pthread_t filch__explore_pthread_self(void) {
    return (pthread_t)(now.current + 1) * CACHE_LINE;
}

int filch__explore_nanosleep(const struct timespec *duration, struct timespec *left) {
    (void)duration, (void)left;
    filch__explore_spin(__func__, __LINE__);
    return 0;
}

int filch__explore_sched_yield(void) {
    filch__explore_spin(__func__, __LINE__);
    return 0;
}

_Noreturn void filch__die(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    explore_fail("died: %s", text);
}

/* ----------------------------------------------------------------------------------- stand-ins: switching stacks */

/* The library's contexts that are saved: a jump uses its target up. */

static void context_saved(void *context, filch__entry_fn *entry) {
    if (now.context_count == CONTEXTS) explore_fail("the explorer's table of contexts is full");
    now.contexts[now.context_count].context = context;
    now.contexts[now.context_count].saved = orders_now(now.current);
    now.contexts[now.context_count++].entry = entry;
}

static void first_arrival(struct filch__transfer transfer) {
    context_saved(transfer.from, NULL);
    now.entry(transfer);
}

void *filch__context_make(void *top, size_t size, filch__entry_fn *entry) {
    for (unsigned i = 0; i < now.context_count; i++) {
        char *old = now.contexts[i].context;
        if (old < (char *)top && old >= (char *)top - size) now.contexts[i--] = now.contexts[--now.context_count];
    }
    void *context = make_fcontext(top, size, first_arrival);
    context_saved(context, entry);
    return context;
}

struct filch__transfer filch__explore_jump(void *target, void *data);

/* What jump_fcontext is called in the library. */
struct filch__transfer filch__explore_jump(void *target, void *data) {
    unsigned i = 0;
    while (i < now.context_count && now.contexts[i].context != target) i++;
    if (i == now.context_count) explore_fail("a context is resumed that is not saved");
    if (is_c11() && !orders_is_before(now.contexts[i].saved, now.current)) {
        explore_fail("a context is resumed that thread %u has saved, and nothing orders the two",
                     now.contexts[i].saved.thread);
    }
    now.entry = now.contexts[i].entry;
    now.contexts[i] = now.contexts[--now.context_count];
    struct filch__transfer back = jump_fcontext(target, data);
    context_saved(back.from, NULL);
    return back;
}

void filch__fiber_init_thread(struct filch__fiber *fiber) {
    *fiber = (struct filch__fiber){.thread = true};
}

/* ----------------------------------------------------------------------------------------------------- schedules */

static void crashed(int signal) {
    snprintf(now.verdict, sizeof now.verdict, "thread %u crashed (signal %d) after %s:%d", now.current, signal,
             now.threads[now.current].function, now.threads[now.current].line);
    races_ignore();
    siglongjmp(crash_home, 1);
}

void explore_begin(void) {
    thread_stacks = mmap(NULL, THREADS * (size_t)STACK_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (thread_stacks == MAP_FAILED) abort();
    static char signal_stack[64 << 10];
    sigaltstack(&(stack_t){.ss_sp = signal_stack, .ss_size = sizeof signal_stack}, NULL);
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}

static void call_body(void *arg) {
    ((const struct explore_scenario *)arg)->body();
}

const char *explore_run(const struct explore_scenario *scenario, const struct explore_settings *settings, uint64_t seed,
                        uint64_t *steps) {
    explore_memory_reset();
    now.settings = settings;
    now.count = now.current = now.next = 0;
    now.events = 0;
    now.clock_ns = 0;
    now.context_count = 0;
    now.verdict[0] = '\0';
    now.cut_off = false;
    orders_reset();
    races_reset();
    filch__random_init(&now.random, seed, 0);
    if (settings->exhaust) {
        exhaust_start();
        now.spurious_in = 0;
    } else {
        choose_strategy();
    }
    start(NULL, call_body, (void *)(uintptr_t)scenario);
    now.running = true;
    if (sigsetjmp(crash_home, 0) == 0) run_threads();
    now.running = false;
    filch__current = &filch__nobody;
    *steps += now.events;
    return now.verdict[0] == '\0' ? NULL : now.verdict;
}

struct explore_exhausted explore_exhaust(const struct explore_scenario *scenario, struct explore_settings settings,
                                         int preemptions, uint64_t limit, void (*each)(void)) {
    struct explore_exhausted result = {0};
    uint64_t steps = 0;
    settings.exhaust = true;
    exhaust_begin(preemptions);
    while (result.executions + result.cut_off < limit) {
        result.verdict = explore_run(scenario, &settings, 0, &steps);
        *(now.cut_off ? &result.cut_off : &result.executions) += 1;
        if (result.verdict != NULL) return result;
        if (each != NULL && !now.cut_off) each();
        if (!exhaust_more()) {
            result.complete = true;
            return result;
        }
    }
    return result;
}
