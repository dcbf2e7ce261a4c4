/* SPDX-License-Identifier: MIT */
/*
 * libfilch-debug.so: notes which mutexes, read-write locks and spin locks of pthread's (and mutexes of <threads.h>) each
 * thread holds, by standing before libc:
 *
 *     LD_PRELOAD=libfilch-debug.so FILCH_DEBUG=foreign-lock ./program
 *     cc program.c -lfilch-debug -lfilch                                  the same, linked
 *
 * What libraries lock is noted like what the program locks, if they call libc as it does; what libc locks inside itself, as
 * for stdio, does not come by here. It is forgotten when it is unlocked, so that only a wait while it is held matters. A
 * condition variable gives its mutex back before it returns.
 *
 * Each thread has a list of its own, under a spin lock that only those contend for who unlock what another thread has
 * locked: they look through all lists. A thread that holds more than LOCKS_MAX at a time has the rest not noted. Lists are
 * kept, and used anew when their thread has ended.
 *
 * Not together with ThreadSanitizer, which stands in the same place.
 */
#include "debug/locks.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <threads.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))
#define MUTEX "pthread mutex"
#define RWLOCK "pthread rwlock"
#define SPIN "pthread spin lock"
#define MTX "mutex of <threads.h>"
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

enum {
    LOCKS_MAX = 32,
    OWN_FRAMES = 2, /* note() and the function that stands before libc's */
};

struct list {
    struct list *next; /* once listed, it does not change */
    atomic_flag latch;
    atomic_bool taken; /* a thread has it */
    unsigned used;     /* under the latch, as the next */
    struct filch_debug_lock locks[LOCKS_MAX];
};

static _Atomic(struct list *) lists;
static _Atomic(void *(*)(void)) self; /* NULL: no runtime has asked yet, and nothing is noted */
static THREAD_LOCAL struct list *own;
static THREAD_LOCAL bool inside; /* what is locked by what is called here is not noted */
static atomic_uint held_count;   /* how many are noted */
static pthread_key_t ends;

/* ------------------------------------------------------------------------------------------------------------- lists */

static void latch_take(struct list *list) {
    while (atomic_flag_test_and_set_explicit(&list->latch, memory_order_acquire)) continue;
}

static void latch_leave(struct list *list) {
    atomic_flag_clear_explicit(&list->latch, memory_order_release);
}

static struct list *take_old(void) {
    for (struct list *list = atomic_load(&lists); list != NULL; list = list->next) {
        bool taken = false;
        if (atomic_compare_exchange_strong(&list->taken, &taken, true)) return list;
    }
    return NULL;
}

static struct list *make(void) {
    struct list *list = mmap(NULL, sizeof *list, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (list == MAP_FAILED) return NULL;
    atomic_init(&list->taken, true);
    list->next = atomic_load(&lists);
    while (!atomic_compare_exchange_weak(&lists, &list->next, list)) continue;
    return list;
}

static void empty(struct list *list) {
    latch_take(list);
    atomic_fetch_sub(&held_count, list->used);
    list->used = 0;
    latch_leave(list);
    atomic_store(&list->taken, false);
}

/* There is one thread; the others' latches may be taken for ever. */
static void in_child(void) {
    for (struct list *list = atomic_load(&lists); list != NULL; list = list->next) {
        latch_leave(list);
        if (list != own) empty(list);
    }
}

static void thread_ends(void *list) {
    own = NULL;
    inside = true; /* what it locks from here on is not noted */
    empty(list);
}

static struct list *own_list(void) {
    if (own == NULL) {
        own = take_old();
        if (own == NULL) own = make();
        if (own != NULL) (void)pthread_setspecific(ends, own);
    }
    return own;
}

/* Takes the lock off a list: the one that was taken last, since some may be taken several times. */
static bool forget_in(struct list *list, const void *address) {
    bool found = false;
    latch_take(list);
    for (unsigned i = list->used; i-- > 0 && !found;) {
        if (list->locks[i].address != address) continue;
        for (unsigned j = i + 1; j < list->used; j++) list->locks[j - 1] = list->locks[j];
        list->used--;
        atomic_fetch_sub(&held_count, 1);
        found = true;
    }
    latch_leave(list);
    return found;
}

static void forget(const void *address) {
    if (atomic_load_explicit(&held_count, memory_order_relaxed) == 0 || inside)
        return; /* what it has locked it has counted */
    if (own != NULL && forget_in(own, address)) return;
    for (struct list *list = atomic_load(&lists); list != NULL; list = list->next) {
        if (list != own && forget_in(list, address)) return; /* another thread has locked it */
    }
}

/* Only what tasks lock is noted. */
static __attribute__((noinline)) void note(const void *address, const char *kind) {
    void *(*task_here)(void) = atomic_load_explicit(&self, memory_order_acquire);
    if (task_here == NULL || inside) return;
    inside = true;
    void *task = task_here();
    struct list *list = task == NULL ? NULL : own_list();
    if (list != NULL) {
        struct filch_debug_lock lock = {.address = address, .kind = kind, .task = task};
        void *frames[FILCH_DEBUG_LOCK_FRAMES + OWN_FRAMES];
        int depth = backtrace(frames, FILCH_DEBUG_LOCK_FRAMES + OWN_FRAMES);
        for (int i = OWN_FRAMES; i < depth; i++) lock.frames[lock.depth++] = frames[i];
        latch_take(list);
        if (list->used < LOCKS_MAX) {
            list->locks[list->used++] = lock;
            atomic_fetch_add(&held_count, 1);
        }
        latch_leave(list);
    }
    inside = false;
}

/* ------------------------------------------------------------------------------------------------------ who asks for it */

static struct filch_debug_lock *next_held(void *task) {
    if (own == NULL) return NULL;
    struct filch_debug_lock *held = NULL;
    latch_take(own);
    for (unsigned i = 0; i < own->used && held == NULL; i++) {
        if (own->locks[i].task != task || own->locks[i].told != 0) continue;
        held = &own->locks[i];
        held->told = 1;
    }
    latch_leave(own);
    return held;
}

EXPORTED filch_debug_locks_fn filch_debug_locks;

EXPORTED struct filch_debug_lock *(*filch_debug_locks(unsigned version, void *(*task_here)(void)))(void *task) {
    if (version != FILCH_DEBUG_LOCKS_VERSION) return NULL;
    void *frame;
    backtrace(&frame, 1); /* the first call loads what unwinds: not in a mutex's lock */
    if (pthread_key_create(&ends, thread_ends) != 0 || pthread_atfork(NULL, NULL, in_child) != 0) return NULL;
    atomic_store_explicit(&self, task_here, memory_order_release);
    return next_held;
}

/* -------------------------------------------------------------------------------------------------- libc's, stood before */

/* The next function of that name after this library's; dlsym(3) asks for no memory where it finds one. */
static void *next_of(_Atomic(void *) *found, const char *name) {
    void *next = atomic_load_explicit(found, memory_order_relaxed);
    if (next == NULL) atomic_store_explicit(found, next = dlsym(RTLD_NEXT, name), memory_order_relaxed);
    return next;
}

static inline __attribute__((always_inline)) int noted(int answer, const volatile void *lock, const char *kind) {
    if (answer == 0 || answer == EOWNERDEAD) note((const void *)(uintptr_t)lock, kind);
    return answer;
}

typedef int mutex_fn(pthread_mutex_t *lock);
typedef int mutex_timed_fn(pthread_mutex_t *lock, const struct timespec *time);
typedef int mutex_clock_fn(pthread_mutex_t *lock, clockid_t clock, const struct timespec *time);
typedef int rwlock_fn(pthread_rwlock_t *lock);
typedef int rwlock_timed_fn(pthread_rwlock_t *lock, const struct timespec *time);
typedef int rwlock_clock_fn(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *time);
typedef int spin_fn(pthread_spinlock_t *lock);
typedef int mtx_fn(mtx_t *lock);
typedef int mtx_timed_fn(mtx_t *lock, const struct timespec *time);

EXPORTED int pthread_mutex_lock(pthread_mutex_t *lock) {
    static _Atomic(void *) found;
    mutex_fn *next = (mutex_fn *)next_of(&found, "pthread_mutex_lock");
    return noted(next(lock), lock, MUTEX);
}

EXPORTED int pthread_mutex_trylock(pthread_mutex_t *lock) {
    static _Atomic(void *) found;
    mutex_fn *next = (mutex_fn *)next_of(&found, "pthread_mutex_trylock");
    return noted(next(lock), lock, MUTEX);
}

EXPORTED int pthread_mutex_timedlock(pthread_mutex_t *lock, const struct timespec *time) {
    static _Atomic(void *) found;
    mutex_timed_fn *next = (mutex_timed_fn *)next_of(&found, "pthread_mutex_timedlock");
    return noted(next(lock, time), lock, MUTEX);
}

EXPORTED int pthread_mutex_clocklock(pthread_mutex_t *lock, clockid_t clock, const struct timespec *time) {
    static _Atomic(void *) found;
    mutex_clock_fn *next = (mutex_clock_fn *)next_of(&found, "pthread_mutex_clocklock");
    return noted(next(lock, clock, time), lock, MUTEX);
}

EXPORTED int pthread_mutex_unlock(pthread_mutex_t *lock) {
    static _Atomic(void *) found;
    mutex_fn *next = (mutex_fn *)next_of(&found, "pthread_mutex_unlock");
    forget((const void *)(uintptr_t)lock); /* before: afterwards its memory may be another's */
    return next(lock);
}

EXPORTED int pthread_rwlock_rdlock(pthread_rwlock_t *lock) {
    static _Atomic(void *) found;
    rwlock_fn *next = (rwlock_fn *)next_of(&found, "pthread_rwlock_rdlock");
    return noted(next(lock), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock) {
    static _Atomic(void *) found;
    rwlock_fn *next = (rwlock_fn *)next_of(&found, "pthread_rwlock_tryrdlock");
    return noted(next(lock), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_timedrdlock(pthread_rwlock_t *lock, const struct timespec *time) {
    static _Atomic(void *) found;
    rwlock_timed_fn *next = (rwlock_timed_fn *)next_of(&found, "pthread_rwlock_timedrdlock");
    return noted(next(lock, time), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_clockrdlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *time) {
    static _Atomic(void *) found;
    rwlock_clock_fn *next = (rwlock_clock_fn *)next_of(&found, "pthread_rwlock_clockrdlock");
    return noted(next(lock, clock, time), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_wrlock(pthread_rwlock_t *lock) {
    static _Atomic(void *) found;
    rwlock_fn *next = (rwlock_fn *)next_of(&found, "pthread_rwlock_wrlock");
    return noted(next(lock), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_trywrlock(pthread_rwlock_t *lock) {
    static _Atomic(void *) found;
    rwlock_fn *next = (rwlock_fn *)next_of(&found, "pthread_rwlock_trywrlock");
    return noted(next(lock), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_timedwrlock(pthread_rwlock_t *lock, const struct timespec *time) {
    static _Atomic(void *) found;
    rwlock_timed_fn *next = (rwlock_timed_fn *)next_of(&found, "pthread_rwlock_timedwrlock");
    return noted(next(lock, time), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_clockwrlock(pthread_rwlock_t *lock, clockid_t clock, const struct timespec *time) {
    static _Atomic(void *) found;
    rwlock_clock_fn *next = (rwlock_clock_fn *)next_of(&found, "pthread_rwlock_clockwrlock");
    return noted(next(lock, clock, time), lock, RWLOCK);
}

EXPORTED int pthread_rwlock_unlock(pthread_rwlock_t *lock) {
    static _Atomic(void *) found;
    rwlock_fn *next = (rwlock_fn *)next_of(&found, "pthread_rwlock_unlock");
    forget((const void *)(uintptr_t)lock); /* before: afterwards its memory may be another's */
    return next(lock);
}

EXPORTED int pthread_spin_lock(pthread_spinlock_t *lock) {
    static _Atomic(void *) found;
    spin_fn *next = (spin_fn *)next_of(&found, "pthread_spin_lock");
    return noted(next(lock), lock, SPIN);
}

EXPORTED int pthread_spin_trylock(pthread_spinlock_t *lock) {
    static _Atomic(void *) found;
    spin_fn *next = (spin_fn *)next_of(&found, "pthread_spin_trylock");
    return noted(next(lock), lock, SPIN);
}

EXPORTED int pthread_spin_unlock(pthread_spinlock_t *lock) {
    static _Atomic(void *) found;
    spin_fn *next = (spin_fn *)next_of(&found, "pthread_spin_unlock");
    forget((const void *)(uintptr_t)lock); /* before: afterwards its memory may be another's */
    return next(lock);
}

EXPORTED int mtx_lock(mtx_t *lock) {
    static _Atomic(void *) found;
    mtx_fn *next = (mtx_fn *)next_of(&found, "mtx_lock");
    return noted(next(lock), lock, MTX);
}

EXPORTED int mtx_trylock(mtx_t *lock) {
    static _Atomic(void *) found;
    mtx_fn *next = (mtx_fn *)next_of(&found, "mtx_trylock");
    return noted(next(lock), lock, MTX);
}

EXPORTED int mtx_timedlock(mtx_t *lock, const struct timespec *time) {
    static _Atomic(void *) found;
    mtx_timed_fn *next = (mtx_timed_fn *)next_of(&found, "mtx_timedlock");
    return noted(next(lock, time), lock, MTX);
}

EXPORTED int mtx_unlock(mtx_t *lock) {
    static _Atomic(void *) found;
    mtx_fn *next = (mtx_fn *)next_of(&found, "mtx_unlock");
    forget((const void *)(uintptr_t)lock); /* before: afterwards its memory may be another's */
    return next(lock);
}
