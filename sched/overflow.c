/* SPDX-License-Identifier: MIT */
/*
 * The report of a stack overflow: a handler for SIGSEGV, on a signal stack of each worker, that tells whose stack it was
 * and then lets the process die as it would have. A fault that is not in a guard goes to whatever handled it before.
 */
#include <execinfo.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/stand_in.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

static struct sigaction former;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

static void report(const struct filch__worker *worker, const void *address) {
    const struct filch_task *task = region_task(worker->deque.hot.region);
    char line[384];
    int length = snprintf(
        line, sizeof line,
        "filch: stack overflow in task %p \"%s\", at %p: it has used up its stack of %zu bytes%s. Spawned at:\n",
        (const void *)task, filch_task_name(task), address, (size_t)1 << (14 + worker->stack->size_class),
        worker->hop_failed ? ", and there was no memory for a further one"
                           : "; stack_size in filch_task_options, or in filch_options, gives more");
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
    void *site = task == NULL ? NULL : task->spawned_at;
    if (site != NULL) backtrace_symbols_fd(&site, 1, STDERR_FILENO);
}

static void handle(int signal, siginfo_t *info, void *context) {
    struct filch__worker *worker = filch__worker_current();
    const struct filch__stand_in *stand_in = filch__stand_in_now();
    if (stand_in != NULL) stand_in->tell();
    if (worker != NULL && worker->stack != NULL &&
        filch__stack_guards(&worker->runtime->stock.stacks, worker->stack, info->si_addr)) {
        report(worker, info->si_addr);
    } else if ((former.sa_flags & SA_SIGINFO) != 0 && former.sa_sigaction != NULL) {
        former.sa_sigaction(signal, info, context);
        return;
    } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
        former.sa_handler(signal);
        return;
    }
    /* The instruction faults again when this returns, and then it is the former disposition's. */
    sigaction(SIGSEGV, &former, NULL);
}

static void install(void) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &former);
}

size_t filch__overflow_stack_size(void) {
    size_t kernel = getauxval(AT_MINSIGSTKSZ);
    if (kernel < (size_t)MINSIGSTKSZ) kernel = (size_t)MINSIGSTKSZ;
    return (kernel + (16 << 10) + 15) & ~(size_t)15; /* snprintf and the symbol look-up take a few KiB */
}

void filch__overflow_watch(void *memory, size_t size) {
    pthread_once(&installed, install);
    stack_t stack = {.ss_sp = memory, .ss_size = size};
    sigaltstack(&stack, NULL);
}

void filch__overflow_unwatch(void) {
    stack_t stack = {.ss_flags = SS_DISABLE};
    sigaltstack(&stack, NULL);
}
