/* SPDX-License-Identifier: MIT */
/*
 * Proves that a task which moves to another thread between two uses of filch__here() gets the new thread's each time,
 * however this file is compiled: filch_self() and the inline fork and join depend on it.
 *
 * Each thread that runs a task notes, by functions that are never inlined, which hot part is its own. As a control, the
 * same is done with errno, as every program reads it: compilers keep its address across the switch, and it is the old
 * thread's. Whether they do is printed and does not decide: they may.
 */
#include <errno.h>
#include <filch/filch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORKERS = 4, TASKS = 32, YIELDS = 4000 };

/* The control: errno, whose address the C library's header has computed by a function that is declared constant. */
static inline int *plain_address(void) {
    return &errno;
}

/* Never inlined, hence right: the address is computed anew in each call. */
static __attribute__((noinline)) int *plain_address_now(void) {
    int *address = &errno;
    __asm__ volatile("" : "+r"(address)::"memory");
    return address;
}

static __attribute__((noinline)) void check_plain(const int *address);

static __attribute__((noinline)) long thread_id(void) {
    return syscall(SYS_gettid);
}

/* Which thread each hot part belongs to; a worker's hot part and its thread are a pair for life. */
static struct {
    _Atomic(struct filch__hot *) hot;
    atomic_long thread;
} pairs[WORKERS];

static atomic_ulong moves, wrong, plain_wrong;

static void check_plain(const int *address) {
    if (address != plain_address_now()) atomic_fetch_add(&plain_wrong, 1);
}

static __attribute__((noinline)) void check_pair(struct filch__hot *hot, long thread) {
    for (int i = 0; i < WORKERS; i++) {
        struct filch__hot *empty = NULL;
        if (atomic_compare_exchange_strong(&pairs[i].hot, &empty, hot)) empty = hot;
        if (empty != hot) continue;
        long nobody = 0;
        if (!atomic_compare_exchange_strong(&pairs[i].thread, &nobody, thread) && nobody != thread) {
            atomic_fetch_add(&wrong, 1);
        }
        return;
    }
    atomic_fetch_add(&wrong, 1);
}

/* All in one function: the accessor is used before and after each switch, as inlined forks would. */
static int wander(void *arg) {
    filch_task *self = filch_self();
    long before = thread_id();
    check_plain(plain_address());
    for (int i = 0; i < YIELDS; i++) {
        struct filch__hot *here = filch__here();
        check_pair(here, before);
        filch_yield();
        struct filch__hot *there = filch__here();
        long after = thread_id();
        check_plain(plain_address());
        check_pair(there, after);
        if ((here == there) != (before == after)) atomic_fetch_add(&wrong, 1);
        if (filch_self() != self) atomic_fetch_add(&wrong, 1);
        if (after != before) atomic_fetch_add(&moves, 1);
        before = after;
    }
    (void)arg;
    return 0;
}

static int add(void *arg) {
    *(int *)arg += 1;
    filch_yield();
    return 0;
}

/* Inline forks and joins around a switch: a frame pushed to the old thread's deque would be lost or called twice. */
static int fork_and_wander(void *arg) {
    for (int i = 0; i < YIELDS / 10; i++) {
        int first = 0, second = 0;
        filch_frame frames[2];
        filch_fork(&frames[0], add, &first);
        filch_yield();
        filch_fork(&frames[1], add, &second);
        filch_yield();
        filch_join(&frames[1]);
        if (filch_reclaim(&frames[0])) add(&first);
        if (first != 1 || second != 1) atomic_fetch_add(&wrong, 1);
    }
    return wander(arg);
}

static int main_task(void *arg) {
    filch_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++) {
        if (filch_spawn(&tasks[i], i % 2 == 0 ? wander : fork_and_wander, arg, NULL) != 0) abort();
    }
    for (int i = 0; i < TASKS; i++) {
        if (filch_await(tasks[i], NULL, FILCH_NEVER) != 0) abort();
    }
    return 0;
}

int main(void) {
    /* Until tasks have moved often enough for it to mean something. */
    for (int round = 0; round < 50 && atomic_load(&moves) < 300; round++) {
        for (int i = 0; i < WORKERS; i++) { /* the threads are new ones */
            atomic_store(&pairs[i].hot, NULL);
            atomic_store(&pairs[i].thread, 0);
        }
        /* Spares would be further threads. */
        if (filch_run(main_task, NULL, &(filch_options){.workers = WORKERS, .no_monitor = true}) != 0) abort();
    }
    printf("%lu moves to another thread, %lu times wrong; control: errno's address was %lu times wrong\n",
           atomic_load(&moves), atomic_load(&wrong), atomic_load(&plain_wrong));
    if (atomic_load(&moves) == 0) {
        printf("no task ever moved: this shows nothing\n");
        return 1;
    }
    return atomic_load(&wrong) == 0 ? 0 : 1;
}
