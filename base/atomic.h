/* SPDX-License-Identifier: MIT */
/*
 * Atomic accesses, each with its order in its name. Fields that are accessed by them are declared ATOMIC(type), and by
 * nothing else once they are shared.
 *
 * There are no stand-alone fences (ThreadSanitizer does not see them), and every access goes through here, which is the
 * seam of the schedule explorer: built with FILCH_EXPLORE, each access first lets the explorer run another thread, and
 * then does what its order promises and no more, in one of the explorer's models of memory (docs/EXPLORER.md).
 */
#ifndef FILCH_BASE_ATOMIC_H
#define FILCH_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define ATOMIC(type) type

#ifdef FILCH_EXPLORE

#include <stddef.h>

enum filch__explore_update { FILCH__exchange_n, FILCH__fetch_add, FILCH__fetch_sub, FILCH__fetch_or, FILCH__fetch_and };

uint64_t filch__explore_load(const void *object, size_t size, int order, const char *function, int line);
void filch__explore_store(void *object, uint64_t value, size_t size, int order, const char *function, int line);
uint64_t filch__explore_update(void *object, enum filch__explore_update update, uint64_t operand, size_t size,
                               int order, const char *function, int line);
bool filch__explore_cas(void *object, void *expected, uint64_t value, size_t size, int order, const char *function,
                        int line);
void filch__explore_spin(const char *function, int line);

#ifndef FILCH__LINE
#define FILCH__LINE __LINE__ /* negative in the explorer's own code */
#endif
#define FILCH__LOAD(object, order)                                                                                     \
    ((__typeof__(*(object)))filch__explore_load((object), sizeof *(object), (order), __func__, FILCH__LINE))
#define FILCH__STORE(object, value, order)                                                                             \
    filch__explore_store((object), (uint64_t)(value), sizeof *(object), (order), __func__, FILCH__LINE)
#define FILCH__UPDATE(update, object, value, order)                                                                    \
    ((__typeof__(*(object)))filch__explore_update((object), FILCH__##update, (uint64_t)(value), sizeof *(object),      \
                                                  (order), __func__, FILCH__LINE))
#define FILCH__CAS(object, expected, value, order, order_of_failure)                                                   \
    filch__explore_cas((object), (expected), (uint64_t)(value), sizeof *(object), (order), __func__, FILCH__LINE)
#define FILCH__OWN(object) (*(object))

#define FILCH__TIMES(count) 1 /* of what is done again only to be sooner: once is as good for the explorer */

#else

#define FILCH__LOAD(object, order) __atomic_load_n((object), (order))
#define FILCH__STORE(object, value, order) __atomic_store_n((object), (value), (order))
#define FILCH__UPDATE(update, object, value, order) __atomic_##update((object), (value), (order))
#define FILCH__CAS(object, expected, value, order, order_of_failure)                                                   \
    __atomic_compare_exchange_n((object), (expected), (value), false, (order), (order_of_failure))
#define FILCH__OWN(object) __atomic_load_n((object), __ATOMIC_RELAXED)
#define FILCH__TIMES(count) (count)

#endif

#define load_relaxed(object) FILCH__LOAD(object, __ATOMIC_RELAXED)
#define load_acquire(object) FILCH__LOAD(object, __ATOMIC_ACQUIRE)
#define load_seq_cst(object) FILCH__LOAD(object, __ATOMIC_SEQ_CST)

#define store_relaxed(object, value) FILCH__STORE(object, value, __ATOMIC_RELAXED)
#define store_release(object, value) FILCH__STORE(object, value, __ATOMIC_RELEASE)
#define store_seq_cst(object, value) FILCH__STORE(object, value, __ATOMIC_SEQ_CST)

#define exchange_acquire(object, value) FILCH__UPDATE(exchange_n, object, value, __ATOMIC_ACQUIRE)
#define exchange_acq_rel(object, value) FILCH__UPDATE(exchange_n, object, value, __ATOMIC_ACQ_REL)
#define exchange_seq_cst(object, value) FILCH__UPDATE(exchange_n, object, value, __ATOMIC_SEQ_CST)

#define add_relaxed(object, value) FILCH__UPDATE(fetch_add, object, value, __ATOMIC_RELAXED)
#define add_acq_rel(object, value) FILCH__UPDATE(fetch_add, object, value, __ATOMIC_ACQ_REL)
#define add_seq_cst(object, value) FILCH__UPDATE(fetch_add, object, value, __ATOMIC_SEQ_CST)
#define sub_acq_rel(object, value) FILCH__UPDATE(fetch_sub, object, value, __ATOMIC_ACQ_REL)
#define sub_seq_cst(object, value) FILCH__UPDATE(fetch_sub, object, value, __ATOMIC_SEQ_CST)
#define or_acq_rel(object, value) FILCH__UPDATE(fetch_or, object, value, __ATOMIC_ACQ_REL)
#define or_seq_cst(object, value) FILCH__UPDATE(fetch_or, object, value, __ATOMIC_SEQ_CST)
#define and_seq_cst(object, value) FILCH__UPDATE(fetch_and, object, value, __ATOMIC_SEQ_CST)

/* Compare and swap: on failure `*expected` gets what was there, or was there earlier. Never fails by chance. */
#define cas_relaxed(object, expected, value) FILCH__CAS(object, expected, value, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cas_acquire(object, expected, value) FILCH__CAS(object, expected, value, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
#define cas_acq_rel(object, expected, value) FILCH__CAS(object, expected, value, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define cas_seq_cst(object, expected, value) FILCH__CAS(object, expected, value, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* Adds to a counter that one thread writes and others read. */
#define count_up(counter, value) store_relaxed((counter), FILCH__OWN(counter) + (value))

/* A compiler's barrier: the one half of a pair whose other half is membarrier(2). */
#define compiler_barrier() __asm__ volatile("" ::: "memory")

/* Tells the processor that the caller spins. */
static inline void spin_pause(void) {
#if defined(FILCH_EXPLORE)
    filch__explore_spin(__func__, __LINE__);
#elif defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#define CACHE_LINE 64
#define cache_aligned __attribute__((aligned(CACHE_LINE)))

#endif
