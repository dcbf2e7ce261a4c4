/* SPDX-License-Identifier: MIT */
/*
 * Traces that FILCH_TRACE asks for: read when the first runtime is made; written when a runtime has ended, for those that are
 * still there when the process exits, and when it is about to die of a bug.
 *
 * In a crash, the thread that has crashed writes the files, and other threads that crash meanwhile wait for it; it asks for no
 * memory but of mmap(2) and takes no lock. A crash of the writing itself ends the process. Afterwards the signal goes to
 * whatever handled it before.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/place.h"
#include "sched/quit.h"
#include "sched/runtime.h"
#include "sched/trace.h"

enum {
    PATH_SIZE = sizeof((struct filch__trace *)0)->path,
    NAPS_MAX = 1000, /* of 10 ms, for who crashes while another writes */
};

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

enum { FATAL = sizeof fatal / sizeof *fatal };

/* What the environment asks for: written once. */
static struct {
    bool asked;
    char path[PATH_SIZE]; /* with its signs */
    filch_trace_options options;
} wish;

static pthread_once_t wish_once = PTHREAD_ONCE_INIT;
static ATOMIC(uint32_t) runtimes; /* how many were traced so */
static struct sigaction former[FATAL];

/* ------------------------------------------------------------------------------------------------------------- files */

static void tell_failure(const char *path, int error) {
    char line[PATH_SIZE + 128];
    int length = snprintf(line, sizeof line, "filch: FILCH_TRACE: \"%s\" cannot be written: error %d (%s)\n", path,
                          -error, strerrorname_np(-error));
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

/* When a file is written: who else may be at the trace meanwhile. */
struct occasion {
    int (*take)(struct filch__trace_copy *copy, struct filch__trace *trace);
    filch__place_fn *place;
};

static const struct occasion when_ended = {filch__trace_take, filch__place_write};        /* nobody: it is not known */
static const struct occasion when_exits = {filch__trace_take_locked, filch__place_write}; /* all other threads */
static const struct occasion when_crashed = {filch__trace_take,
                                             filch__place_write_safely}; /* they, and the lock may be taken for ever */

static int write_file(struct filch__trace *trace, const struct occasion *when) {
    struct filch__trace_copy copy;
    int fd = open(trace->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return -errno;
    int answer = when->take(&copy, trace);
    if (answer == 0) {
        answer = filch__trace_write(&copy, fd, when->place);
        filch__trace_drop(&copy);
    }
    if (close(fd) != 0 && answer >= 0) answer = -errno;
    return answer;
}

static int write_one(struct filch_runtime *runtime, void *when) {
    struct filch__trace *trace = load_acquire(&runtime->trace); /* MADE */
    if (trace == NULL || trace->path[0] == '\0') return 0;
    int answer = write_file(trace, when);
    if (answer < 0) tell_failure(trace->path, answer);
    return 0;
}

static void write_each(const struct occasion *when) {
    (void)filch__runtimes_each(write_one, (void *)(uintptr_t)when);
}

void filch__trace_finish(struct filch_runtime *runtime) {
    (void)write_one(runtime, (void *)(uintptr_t)&when_ended);
}

static void at_exit(void) {
    write_each(&when_exits);
}

/* ------------------------------------------------------------------------------------------------------------- crashes */

enum crash { CRASH_NONE, CRASH_WRITES, CRASH_DONE };

static ATOMIC(uint32_t) crash; /* enum crash */
static ATOMIC(int) crash_thread;

static void wait_for_writer(void) {
    for (int naps = 0; naps < NAPS_MAX && load_acquire(&crash) != CRASH_DONE; naps++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

/* False: the crash is one of the writing. */
static bool write_all(void) {
    uint32_t none = CRASH_NONE;
    if (cas_seq_cst(&crash, &none, (uint32_t)CRASH_WRITES)) {
        store_seq_cst(&crash_thread, gettid());
        write_each(&when_crashed);
        store_release(&crash, (uint32_t)CRASH_DONE);
    } else if (none == CRASH_WRITES) {
        if (load_seq_cst(&crash_thread) == gettid()) return false;
        wait_for_writer();
    }
    return true;
}

static void die_of(int number) {
    sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    raise(number); /* it comes when this handler has returned */
}

/* To whoever would have had the signal. What would come again at once, when it is ignored, is not to be ignored. */
static void pass_on(const struct sigaction *before, int number, siginfo_t *info, void *context) {
    bool faults = info->si_code > 0;
    if (before->sa_flags & SA_RESETHAND) sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(number, info, context);
    } else if (before->sa_handler == SIG_DFL || (before->sa_handler == SIG_IGN && faults)) {
        die_of(number);
    } else if (before->sa_handler != SIG_IGN) {
        before->sa_handler(number);
    }
}

static void on_crash(int number, siginfo_t *info, void *context) {
    int error = errno;
    bool written = write_all();
    for (int i = 0; i < FATAL && written; i++) {
        if (fatal[i] == number) pass_on(&former[i], number, info, context);
    }
    if (!written) die_of(number);
    errno = error;
}

static void watch_crashes(void) {
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    for (int i = 0; i < FATAL; i++) sigaction(fatal[i], &action, &former[i]);
}

/* --------------------------------------------------------------------------------------------------- the environment */

/* Takes ",events=N" off the end of `path`. False: N is no number, or out of range. */
static bool take_options(char *path) {
    char *comma = strrchr(path, ','), *end;
    if (comma == NULL || strncmp(comma, ",events=", 8) != 0) return true;
    unsigned long events = strtoul(comma + 8, &end, 10);
    if (*end != '\0' || end == comma + 8 || events == 0 || events > FILCH_TRACE_EVENTS_MAX) return false;
    wish.options.events = (unsigned)events;
    *comma = '\0';
    return true;
}

/* So that a program that changes its folder has the file where it was asked for. */
static bool make_absolute(const char *words) {
    char folder[PATH_SIZE] = "";
    if (words[0] != '/' && getcwd(folder, sizeof folder - 1) == NULL) return false;
    size_t length = strlen(folder);
    if (words[0] != '/') folder[length++] = '/';
    folder[length] = '\0';
    return length + strlen(words) + 32 < PATH_SIZE && snprintf(wish.path, PATH_SIZE, "%s%s", folder, words) > 0;
}

static void read_environment(void) {
    const char *words = getenv("FILCH_TRACE");
    if (words == NULL || *words == '\0') return;
    wish.asked = make_absolute(words) && take_options(wish.path);
    if (!wish.asked) {
        dprintf(STDERR_FILENO, "filch: FILCH_TRACE is \"%s\"; it is to be PATH[,events=N], with N up to %u\n", words,
                FILCH_TRACE_EVENTS_MAX);
        return;
    }
    filch__places_note();
    watch_crashes();
    atexit(at_exit);
}

/* `wish.path` with its signs replaced. False: too long. */
static bool fill_path(char path[PATH_SIZE], unsigned number) {
    size_t used = 0;
    for (const char *at = wish.path; *at != '\0'; at++) {
        bool sign = at[0] == '%' && (at[1] == 'p' || at[1] == 'n');
        if (used + 16 > PATH_SIZE) return false;
        if (!sign) {
            path[used++] = *at;
        } else {
            at++;
            used += (size_t)snprintf(path + used, 16, "%u", *at == 'p' ? (unsigned)getpid() : number);
        }
    }
    path[used] = '\0';
    return true;
}

static int begin(struct filch_runtime *runtime) {
    int answer = filch_trace_start(runtime, &wish.options);
    if (answer != 0) return answer;
    struct filch__trace *trace = load_relaxed(&runtime->trace); /* nobody else knows of the runtime */
    if (!fill_path(trace->path, add_relaxed(&runtimes, 1) + 1)) return -ENAMETOOLONG;
    /* To tell at once where it cannot be. What an earlier run has left stays until there is something to write. */
    int fd = open(trace->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return -errno;
    close(fd);
    return 0;
}

void filch__trace_watch(void) {
    pthread_once(&wish_once, read_environment);
}

void filch__trace_by_environment(struct filch_runtime *runtime) {
    if (likely(!wish.asked)) return;
    int answer = begin(runtime);
    if (answer == 0) return;
    (void)filch_trace_stop(runtime);
    tell_failure(wish.path, answer);
    struct filch__trace *trace = load_relaxed(&runtime->trace);
    if (trace != NULL) trace->path[0] = '\0';
}
