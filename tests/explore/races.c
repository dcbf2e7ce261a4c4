/* SPDX-License-Identifier: MIT */
#include "tests/explore/races.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/worker.h"
#include "tests/explore/orders.h"

enum {
    GRAIN = 8,
    ACCESSES = 8, /* remembered of each grain */
    GRAINS_BITS = 15,
    GRAINS = 1 << GRAINS_BITS,
    TEXT_SIZE = 160,
};

struct access {
    uint32_t time;     /* on its thread's clock; 0: none */
    uint32_t line;     /* of an atomic access; 0: a plain one */
    const void *where; /* the function's name of an atomic access, the code's address of a plain one */
    unsigned char thread, bytes;
    bool writes;
};

struct grain {
    uintptr_t at;
    uint32_t schedule, next;
    bool atomic; /* something in it is accessed atomically, too */
    struct access accesses[ACCESSES];
};

static struct grain grains[GRAINS];
static uint32_t schedule, met;
static unsigned watched; /* the thread, plus 1; 0: none */

extern FILCH_API _Thread_local struct filch__hot *filch__current __attribute__((tls_model("initial-exec")));

void races_reset(void) {
    schedule++;
    met = 0;
    watched = 0;
}

void races_watch(unsigned thread) {
    watched = thread + 1;
}

void races_ignore(void) {
    watched = 0;
}

/* ---------------------------------------------------------------------------------------------------------- telling */

/* A plain access is told by the code's address within the program: see races_tell_code. */
static void tell_access(char text[TEXT_SIZE], const struct access *access) {
    const char *verb = access->writes ? "writes" : "reads";
    if (access->line != 0) {
        snprintf(text, TEXT_SIZE, "thread %u %s, atomically, at %s:%u", access->thread, verb,
                 (const char *)access->where, access->line);
        return;
    }
    Dl_info info;
    uintptr_t base = dladdr(access->where, &info) == 0 ? 0 : (uintptr_t)info.dli_fbase;
    snprintf(text, TEXT_SIZE, "thread %u %s at +0x%zx", access->thread, verb, (uintptr_t)access->where - 1 - base);
}

void races_tell_code(const char *verdict) {
    for (const char *at = verdict; (at = strstr(at, "+0x")) != NULL; at++) {
        char command[TEXT_SIZE], found[TEXT_SIZE];
        snprintf(command, sizeof command, "addr2line -s -f -p -e /proc/%d/exe 0x%lx 2>/dev/null", (int)getpid(),
                 strtoul(at + 1, NULL, 16));
        FILE *pipe = popen(command, "r");
        if (pipe == NULL) return;
        if (fgets(found, sizeof found, pipe) != NULL) printf("      %.*s is %s", (int)strcspn(at, " ;,"), at, found);
        pclose(pipe);
    }
}

static _Noreturn void tell_race(const void *object, const struct access *before, const struct access *after) {
    char first[TEXT_SIZE], second[TEXT_SIZE];
    races_ignore();
    tell_access(first, before);
    tell_access(second, after);
    explore_fail("a data race at %p: %s; %s; nothing orders them", object, first, second);
}

/* ---------------------------------------------------------------------------------------------------------- finding */

static struct grain *grain_at(uintptr_t at, bool add) {
    size_t i = (size_t)(at / GRAIN * 0x9e3779b97f4a7c15u >> (64 - GRAINS_BITS));
    while (grains[i].schedule == schedule && grains[i].at != at) i = (i + 1) % GRAINS;
    struct grain *grain = &grains[i];
    if (grain->schedule == schedule) return grain;
    if (!add) return NULL;
    if (++met == GRAINS) explore_fail("the explorer's table of plain accesses is full");
    memset(grain, 0, sizeof *grain);
    grain->at = at;
    grain->schedule = schedule;
    return grain;
}

static bool conflict(const struct access *a, const struct access *b) {
    return (a->bytes & b->bytes) != 0 && (a->writes || b->writes) && (a->line == 0 || b->line == 0) &&
           a->thread != b->thread;
}

/* Against all that are remembered; then it is remembered itself, in the place of one that it is as good as, or the oldest. */
static void check(struct grain *grain, const struct access *access, const void *object) {
    struct access *place = NULL;
    for (unsigned i = 0; i < ACCESSES; i++) {
        struct access *other = &grain->accesses[i];
        if (other->time == 0) {
            if (place == NULL) place = other;
            break;
        }
        if (conflict(other, access) &&
            !orders_is_before((struct orders_moment){other->thread, other->time}, access->thread)) {
            tell_race(object, other, access);
        }
        bool as_good = other->thread == access->thread && other->bytes == access->bytes &&
                       other->writes == access->writes && (other->line == 0) == (access->line == 0);
        if (as_good) place = other;
    }
    if (place == NULL) place = &grain->accesses[grain->next++ % ACCESSES];
    *place = *access;
}

/* What is written over without its order being said is as if it were new. */
static void forget(uintptr_t from, uintptr_t to) {
    for (; from < to; from++) orders_forget((const void *)from);
}

static void look(const void *object, size_t size, struct access access) {
    uintptr_t at = (uintptr_t)object, end = at + size;
    access.thread = (unsigned char)(watched - 1);
    access.time = orders_now(watched - 1).time;
    while (at < end) {
        uintptr_t grain = at / GRAIN * GRAIN, stop = grain + GRAIN < end ? grain + GRAIN : end;
        access.bytes = (unsigned char)(((1u << (stop - at)) - 1) << (at - grain));
        struct grain *found = grain_at(grain, true);
        check(found, &access, object);
        if (access.line != 0) found->atomic = true;
        if (access.line == 0 && access.writes && found->atomic) forget(at, stop);
        at = stop;
    }
}

void races_atomic(const void *object, unsigned size, bool writes, const char *function, int line) {
    if (watched == 0) return;
    look(object, size, (struct access){.where = function, .line = (uint32_t)line, .writes = writes});
}

static void plain(const void *object, size_t size, bool writes, const void *where) {
    if (watched == 0 || object == (const void *)&filch__current) return; /* a virtual thread has its own */
    struct access access = {.where = where, .writes = writes};
    if (explore_memory_is_freed(object)) {
        char text[TEXT_SIZE];
        access.thread = (unsigned char)(watched - 1);
        races_ignore();
        tell_access(text, &access);
        explore_fail("%s, at %p, which was freed", text, object);
    }
    look(object, size, access);
}

void races_end_of(const void *object, size_t size, const char *what) {
    if (watched == 0) return;
    for (uintptr_t at = (uintptr_t)object / GRAIN * GRAIN; at < (uintptr_t)object + size; at += GRAIN) {
        struct grain *grain = grain_at(at, false);
        if (grain == NULL) continue;
        struct access access = {.where = what, .line = 1, .writes = true, .bytes = 0xff};
        access.thread = (unsigned char)(watched - 1);
        for (unsigned i = 0; i < ACCESSES && grain->accesses[i].time != 0; i++) {
            struct access *other = &grain->accesses[i];
            if (other->thread == access.thread) continue;
            if (orders_is_before((struct orders_moment){other->thread, other->time}, access.thread)) continue;
            tell_race((void *)at, other, &access);
        }
    }
}

void explore_plain_read(const void *object, size_t size) {
    plain(object, size, false, __builtin_return_address(0));
}

void explore_plain_write(void *object, size_t size) {
    plain(object, size, true, __builtin_return_address(0));
}

/* ---------------------------------------------------------------------- what ThreadSanitizer's compilers insert calls of */

#define INSERTED(name, size, writes)                                                                                   \
    void name(void *object);                                                                                           \
    void name(void *object) {                                                                                          \
        plain(object, (size), (writes), __builtin_return_address(0));                                                  \
    }

INSERTED(__tsan_read1, 1, false)
INSERTED(__tsan_read2, 2, false)
INSERTED(__tsan_read4, 4, false)
INSERTED(__tsan_read8, 8, false)
INSERTED(__tsan_read16, 16, false)
INSERTED(__tsan_write1, 1, true)
INSERTED(__tsan_write2, 2, true)
INSERTED(__tsan_write4, 4, true)
INSERTED(__tsan_write8, 8, true)
INSERTED(__tsan_write16, 16, true)
INSERTED(__tsan_unaligned_read2, 2, false)
INSERTED(__tsan_unaligned_read4, 4, false)
INSERTED(__tsan_unaligned_read8, 8, false)
INSERTED(__tsan_unaligned_read16, 16, false)
INSERTED(__tsan_unaligned_write2, 2, true)
INSERTED(__tsan_unaligned_write4, 4, true)
INSERTED(__tsan_unaligned_write8, 8, true)
INSERTED(__tsan_unaligned_write16, 16, true)

void __tsan_read_range(void *object, size_t size);
void __tsan_write_range(void *object, size_t size);
void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);

void __tsan_read_range(void *object, size_t size) {
    plain(object, size, false, __builtin_return_address(0));
}

void __tsan_write_range(void *object, size_t size) {
    plain(object, size, true, __builtin_return_address(0));
}

void __tsan_init(void) {
}

void __tsan_func_entry(void *caller) {
    (void)caller;
}

void __tsan_func_exit(void) {
}
