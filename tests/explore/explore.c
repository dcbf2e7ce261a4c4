/* SPDX-License-Identifier: MIT */
/*
 * The explorer's heart: virtual threads, store buffers, the choice of who goes next.
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
    uint32_t stay_in, flush_in, spurious_in; /* one event in so many */
    int32_t priority[AGENTS];
    int32_t lowest;
    unsigned changes;
    uint64_t change_at[CHANGES_MAX];
    /* contexts that are saved and wait for their jump */
    unsigned context_count;
    struct {
        void *context;
        filch__entry_fn *entry; /* of one that was made and not jumped to yet */
    } contexts[CONTEXTS];
    filch__entry_fn *entry; /* of the one that is jumped to */
    /* the program's own */
    void *home;
    unsigned next;
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
    static const uint32_t stay_in[] = {2, 4, 16}, flush_in[] = {2, 8, 64};
    now.by_priority = explore_choose(2) == 0;
    now.stay_in = stay_in[explore_choose(3)];
    now.flush_in = flush_in[explore_choose(3)];
    now.spurious_in = explore_choose(4) == 0 ? 8 : 0;
    now.lowest = 0;
    for (unsigned i = 0; i < AGENTS; i++) {
        now.priority[i] = (int32_t)(1 + explore_choose(1 << 20));
        if (i >= THREADS && explore_choose(2) == 0) now.priority[i] = --now.lowest; /* late stores, late time-outs */
    }
    uint64_t length = (uint64_t)1 << (3 + explore_choose(8));
    now.changes = explore_choose(CHANGES_MAX + 1);
    for (unsigned i = 0; i < now.changes; i++) now.change_at[i] = 1 + explore_choose((uint32_t)length);
}

/* ------------------------------------------------------------------------------------------------- ends and jumps */

static _Noreturn void go_home(void) {
    now.running = false;
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
        unsigned agent = now.by_priority ? choose_by_priority(stay) : choose_at_random(stay);
        stay = true;
        if (agent < THREADS) return agent;
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
static struct thread *arrive(const void *object, const char *function, int line) {
    struct thread *self = &now.threads[now.current];
    self->function = function;
    self->line = line;
    self->spun = false;
    turn(true);
    if (now.settings->trace) {
        fprintf(stderr, "%6llu  thread %u  %s:%d %p\n", (unsigned long long)now.events, now.current, function, line,
                object);
    }
    if (explore_memory_is_freed(object)) {
        explore_fail("%s:%d uses %p, which was freed", function, line, object);
    }
    return self;
}

void filch__explore_step(const void *object, const char *function, int line) {
    if (now.running) arrive(object, function, line);
}

void filch__explore_exclusive(const void *object, const char *function, int line) {
    if (now.running) arrive(object, function, line)->stores = 0; /* they are in place */
}

void filch__explore_store(void *object, uint64_t value, size_t size, const char *function, int line) {
    struct thread *self = now.running ? arrive(object, function, line) : NULL;
    if (self != NULL && now.settings->tso) {
        if (self->stores == BUFFER) flush_one(now.current);
        struct entry *entry = &self->store[self->stores++];
        *entry = (struct entry){.place = object, .size = (unsigned)size, .covered = read_place(object, (unsigned)size)};
        memcpy(&entry->value, &value, size);
    }
    memcpy(object, &value, size);
}

/* Spinning on is one event, however many turns it takes. */
void filch__explore_spin(const char *function, int line) {
    if (!now.running) return;
    struct thread *self = &now.threads[now.current];
    if (self->spun) return;
    self->function = function;
    self->line = line;
    self->spun = true;
    turn(false);
}

/* --------------------------------------------------------------------- stand-ins: futex, barrier, clock, pthreads */

/* The kernel's futex calls pass a full barrier on the way to their hash bucket. */
bool filch__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns) {
    filch__explore_exclusive(NULL, __func__, __LINE__);
    struct thread *self = &now.threads[now.current];
    if (*word != expected) return true;
    if (now.spurious_in != 0 && explore_choose(now.spurious_in) == 0) return true;
    self->word = word;
    self->deadline_ns = deadline_ns;
    self->expired = false;
    self->state = BLOCKED_FUTEX;
    turn(true);
    return !self->expired;
}

void filch__futex_wake(uint32_t *word, int count) {
    filch__explore_exclusive(NULL, __func__, __LINE__);
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

bool filch__barrier_all(void) {
    filch__explore_exclusive(NULL, __func__, __LINE__);
    for (unsigned i = 0; i < now.count; i++) {
        while (now.threads[i].stores > 0) flush_one(i);
    }
    return true;
}

int64_t filch__clock_now(void) {
    if (now.running) arrive(NULL, __func__, __LINE__);
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
    return index;
}

unsigned explore_start(void (*fn)(void *arg), void *arg) {
    return start(NULL, fn, arg);
}

void explore_join(unsigned thread) {
    filch__explore_exclusive(NULL, __func__, __LINE__);
    struct thread *self = &now.threads[now.current];
    self->joined = thread;
    self->state = BLOCKED_JOIN;
    turn(true);
    self->state = RUNNABLE;
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
    filch__explore_exclusive(NULL, __func__, __LINE__);
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
    filch__random_init(&now.random, seed, 0);
    choose_strategy();
    start(NULL, call_body, (void *)(uintptr_t)scenario);
    now.running = true;
    if (sigsetjmp(crash_home, 0) == 0) run_threads();
    now.running = false;
    filch__current = &filch__nobody;
    *steps += now.events;
    return now.verdict[0] == '\0' ? NULL : now.verdict;
}
