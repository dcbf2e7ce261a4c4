/* SPDX-License-Identifier: MIT */
#include "sched/foreign.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "debug/locks.h"
#include "sched/complaint.h"
#include "sched/runtime.h"
#include "sched/task.h"

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static struct filch_debug_lock *(*next_held)(void *task); /* written before any task is there */

static void *self(void) {
    return filch_self();
}

static void prepare(void) {
    filch_debug_locks_fn *locks;
    *(void **)&locks = dlsym(RTLD_DEFAULT, "filch_debug_locks");
    if (locks != NULL) next_held = locks(FILCH_DEBUG_LOCKS_VERSION, self);
}

static void tell_of_lack(void) {
    static const char line[] = "filch: foreign-lock: libfilch-debug.so is not there, or is another version's; run the "
                               "program with LD_PRELOAD=libfilch-debug.so\n";
    ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
    (void)ignored;
}

void filch__foreign_prepare(bool wanted) {
    static pthread_once_t told = PTHREAD_ONCE_INIT;
    pthread_once(&prepared, prepare);
    if (next_held == NULL && wanted) pthread_once(&told, tell_of_lack);
}

static void tell(struct filch_runtime *runtime, const struct filch__witness *witness,
                 const struct filch_debug_lock *held, const char *reason, const void *object) {
    struct filch__complaint complaint;
    filch__complaint_begin(&complaint, runtime, "foreign-lock");
    filch__complaint_who(&complaint, witness);
    filch__complaint_say(&complaint, " holds %s %p and waits (%s %p)", held->kind, held->address, reason, object);
    filch__complaint_spawned(&complaint, witness);
    filch__complaint_say(&complaint, "; it may go on on another thread. It waits at\n");
    filch__complaint_frames(&complaint, witness->frames, witness->depth);
    filch__complaint_say(&complaint, "    and has locked it at\n");
    filch__complaint_frames(&complaint, held->frames, held->depth);
    filch__complaint_send(&complaint);
}

void filch__foreign_look(const char *reason, const void *object) {
    struct filch_task *task = filch_self();
    if (next_held == NULL || task == NULL) return;
    struct filch_debug_lock *held = next_held(task);
    if (held == NULL) return;
    struct filch__witness witness;
    filch__witness_take(&witness);
    for (; held != NULL; held = next_held(task)) tell(task->runtime, &witness, held, reason, object);
}
