/* SPDX-License-Identifier: MIT */
/*
 * Threads are admitted to jemalloc one by one, each where there is room for what that takes.
 *
 * With a thread's first request, whatever its flags, jemalloc (5.3) sets the thread up: it binds it to an arena, which is
 * made where each that there is has a thread, and asks for the room of the thread's cache. Where it gets no memory for
 * either, it does not answer so but goes on with null pointers, and the process crashes. No call of it sets a thread up
 * in another way, or says whether it could. So that much address space is asked for before, given back, and the thread is
 * set up where it was to be had; afterwards jemalloc answers want of memory as it should. In between somebody else may
 * take all of it: not another thread of the library's, for there is a lock, but one that asks the system itself for more
 * than jemalloc leaves of ROOM. docs/MEMORY.md says what that comes to.
 */
#include "alloc/admit.h"

#include "base/assert.h"

#if FILCH_JEMALLOC

#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <sys/mman.h>

/*
 * jemalloc maps 2 MiB for an arena, 2 MiB for its first memory, as much for the cache, and 4 MiB to look addresses up by
 * where these are in a new gigabyte; to align one of them it maps up to twice its size for a moment.
 */
enum { ROOM = 16 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * This thread's alone. A task may be on another thread after a wait, but no function here waits, and the only one that
 * is called from outside is not inlined: none holds its address over a wait.
 */
static _Thread_local bool admitted __attribute__((tls_model("initial-exec")));

static bool has_room(void) {
    void *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room != MAP_FAILED && munmap(room, ROOM) == 0;
}

static never_inline bool admit(void) {
    pthread_mutex_lock(&lock);
    bool room = has_room();
    if (room) {
        void *first = mallocx(sizeof(void *), 0);
        if (first != NULL) sdallocx(first, sizeof(void *), 0);
    }
    pthread_mutex_unlock(&lock);
    admitted = room;
    return room;
}

never_inline bool filch__admitted(void) {
    return likely(admitted) || admit();
}

void filch__admission_hold(void) {
    pthread_mutex_lock(&lock);
}

void filch__admission_release(void) {
    pthread_mutex_unlock(&lock);
}

#else

bool filch__admitted(void) {
    return true;
}

void filch__admission_hold(void) {
}

void filch__admission_release(void) {
}

#endif
