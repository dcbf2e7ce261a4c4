/* SPDX-License-Identifier: MIT */
/* The words of FILCH_DEBUG, what is told at a runtime's end, and calls that are for tasks. */
#include "sched/debug.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "sched/circle.h"
#include "sched/complaint.h"
#include "sched/foreign.h"
#include "sched/hog.h"
#include "sched/ledger.h"
#include "sched/runtime.h"
#include "sched/task.h"

#define HOG_NS_OF_ALL FILCH_MS(100)
#define HOG_MS_MAX 3600000

ATOMIC(uint32_t) filch__debug_checks;

/* ------------------------------------------------------------------------------------------------------------- words */

static const struct word {
    const char *name;
    uint32_t checks;
    const char *what;
} words[] = {
    {"all", CHECK_ALL, "all checks; likewise 1. With hog=100"},
    {"deadlock", CHECK_DEADLOCK, "all tasks wait, and nothing that is known of will wake one"},
    {"hog", CHECK_HOG, "a task holds its worker while others wait for that; hog=MS: for more than MS milliseconds"},
    {"mutex-cycle", CHECK_CYCLE, "a call is about to close a circle of tasks that wait for one another; =fail, =abort"},
    {"held", CHECK_HELD, "a task ends and holds a mutex, or a lock to write"},
    {"never-awaited", CHECK_AWAITED, "the runtime ends, and there are results that nobody has asked for"},
    {"channels", CHECK_CHANNELS, "the runtime ends, and channels are left; values are lost with one"},
    {"foreign-lock", CHECK_FOREIGN | CHECK_FOREIGN_BY_NAME,
     "a task waits while it holds a pthread mutex; needs libfilch-debug.so"},
    {"wrong-thread", CHECK_THREAD, "a call that is for tasks is made by a thread that runs none"},
    {"errno", CHECK_ERRNO, "errno is 987588 after each wait that let others run"},
    {"io", CHECK_IO, "not a check: what descriptors are watched by, and why"},
    {"noquit", CHECK_NO_QUIT, "not a check: SIGQUIT is left alone"},
    {"help", CHECK_HELP, "not a check: these lines"},
};

enum { WORDS = sizeof words / sizeof *words };

/* What stands behind "=", which may be nothing: false, if it is not to stand there. */
static bool read_value(struct filch__debug *debug, uint32_t check, const char *value) {
    if (check == CHECK_HOG) {
        char *end;
        unsigned long ms = strtoul(value, &end, 10);
        if (end == value || *end != '\0' || *value == '-' || ms == 0 || ms > HOG_MS_MAX) return false;
        debug->hog_ns = FILCH_MS((int64_t)ms);
        return true;
    }
    if (check != CHECK_CYCLE) return false;
    if (strcmp(value, "fail") == 0) debug->on_cycle = CYCLE_FAIL;
    if (strcmp(value, "abort") == 0) debug->on_cycle = CYCLE_ABORT;
    return strcmp(value, "fail") == 0 || strcmp(value, "abort") == 0;
}

static bool read_word(struct filch__debug *debug, char *name) {
    char *value = strchr(name, '=');
    if (value != NULL) *value++ = '\0';
    if (value == NULL && strcmp(name, "0") == 0) return true;
    for (size_t i = 0; i < WORDS; i++) {
        bool all = words[i].checks == CHECK_ALL;
        if (strcmp(name, words[i].name) != 0 && !(all && strcmp(name, "1") == 0)) continue;
        if (value != NULL && !read_value(debug, words[i].checks, value)) return false;
        if (all && debug->hog_ns == 0) debug->hog_ns = HOG_NS_OF_ALL;
        debug->checks |= words[i].checks;
        return true;
    }
    return false;
}

static void tell_of_word(const char *word, const char *source) {
    char line[640];
    int length = snprintf(line, sizeof line, "filch: %s: there is no \"%.60s\"; there are 1", source, word);
    for (size_t i = 0; i < WORDS; i++) {
        length += snprintf(line + length, sizeof line - (size_t)length, ", %s", words[i].name);
    }
    length += snprintf(line + length, sizeof line - (size_t)length, "; hog=MS, mutex-cycle=fail, mutex-cycle=abort\n");
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

bool filch__debug_read(struct filch__debug *debug, const char *text, const char *source) {
    bool all_known = true;
    for (const char *at = text; at != NULL && *at != '\0';) {
        char word[64], given[64];
        size_t length = strcspn(at, ", ");
        snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), at);
        memcpy(given, word, sizeof given);
        if (length > 0 && !read_word(debug, word)) {
            if (all_known && source != NULL) tell_of_word(given, source);
            all_known = false;
        }
        at += length + (at[length] != '\0');
    }
    return all_known;
}

static void tell_words(void) {
    for (size_t i = 0; i < WORDS; i++) {
        dprintf(STDERR_FILENO, "filch: FILCH_DEBUG=%-13s %s\n", words[i].name, words[i].what);
    }
}

static void read_loudly(void) {
    struct filch__debug debug = {0};
    (void)filch__debug_read(&debug, getenv("FILCH_DEBUG"), "FILCH_DEBUG");
    if (debug.checks & CHECK_HELP) tell_words();
}

void filch__debug_of_environment(struct filch__debug *debug) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_loudly);
    (void)filch__debug_read(debug, getenv("FILCH_DEBUG"), NULL);
}

/* ----------------------------------------------------------------------------------------------------- begin and end */

void filch__debug_begin(struct filch_runtime *runtime) {
    uint32_t checks = runtime->debug.checks;
    if (checks & (CHECK_HELD | CHECK_CYCLE)) runtime->task_flags |= TASK_WATCHED;
    if ((checks & CHECK_ALL) == 0) return;
    filch__hog_prepare(); /* the first backtrace loads what unwinds: not on a task's stack */
    or_seq_cst(&filch__debug_checks, checks);
    if (checks & CHECK_FOREIGN) filch__foreign_prepare(checks & CHECK_FOREIGN_BY_NAME);
}

/* Tasks that are alike: told in one line. */
struct alike {
    filch_fn *fn;
    void *spawned_at;
    char name[32];
    uint64_t count, failed;
    int result; /* of the last that failed */
};

enum { KINDS_MAX = 64 };

struct forgotten {
    struct alike kinds[KINDS_MAX];
    unsigned kind_count;
    uint64_t others;
};

static int count_forgotten(void *record, void *argument) {
    struct forgotten *forgotten = argument;
    struct filch_task *task = record;
    if (load_relaxed(&task->state) != TASK_ENDED || load_relaxed(&task->end) != TASK_END_ENDED) return 0;
    const char *name = filch_task_name(task);
    filch_fn *fn = load_relaxed(&task->fn); /* all threads have ended, as for the others */
    void *spawned_at = load_relaxed(&task->spawned_at);
    unsigned i = 0;
    while (i < forgotten->kind_count && (forgotten->kinds[i].fn != fn || forgotten->kinds[i].spawned_at != spawned_at ||
                                         strcmp(forgotten->kinds[i].name, name) != 0)) {
        i++;
    }
    if (i == KINDS_MAX) {
        forgotten->others++;
        return 0;
    }
    struct alike *kind = &forgotten->kinds[i];
    if (i == forgotten->kind_count) {
        forgotten->kind_count++;
        *kind = (struct alike){.fn = fn, .spawned_at = spawned_at};
        snprintf(kind->name, sizeof kind->name, "%s", name);
    }
    kind->count++;
    if (task->result < 0) {
        kind->failed++;
        kind->result = task->result;
    }
    return 0;
}

static void tell_kind(struct filch_runtime *runtime, const struct alike *kind) {
    struct filch__complaint complaint;
    char name[sizeof kind->name];
    filch__utf8_clean(name, sizeof name, kind->name);
    filch__complaint_begin(&complaint, runtime, "never-awaited");
    filch__complaint_say(&complaint, "%llu task%s \"%s\" ended, neither awaited nor detached; spawned at ",
                         (unsigned long long)kind->count, kind->count == 1 ? "" : "s", name);
    filch__complaint_place(&complaint, kind->spawned_at);
    if (kind->failed > 0) {
        filch__complaint_say(&complaint, "; %llu failed, the last with %d", (unsigned long long)kind->failed,
                             kind->result);
    }
    filch__complaint_say(&complaint, "\n");
    filch__complaint_send(&complaint);
}

static void tell_forgotten(struct filch_runtime *runtime) {
    struct forgotten *forgotten = filch__heap_get(sizeof *forgotten, 16);
    if (forgotten == NULL) return;
    (void)filch__slab_each(&runtime->stock.tasks, count_forgotten, forgotten);
    for (unsigned i = 0; i < forgotten->kind_count; i++) tell_kind(runtime, &forgotten->kinds[i]);
    if (forgotten->others > 0) {
        struct filch__complaint complaint;
        filch__complaint_begin(&complaint, runtime, "never-awaited");
        filch__complaint_say(&complaint, "%llu tasks of other kinds\n", (unsigned long long)forgotten->others);
        filch__complaint_send(&complaint);
    }
    filch__heap_put(forgotten, sizeof *forgotten, 16);
}

void filch__debug_end(struct filch_runtime *runtime) {
    uint32_t checks = runtime->debug.checks;
    if (checks & CHECK_AWAITED) tell_forgotten(runtime);
    if (checks & CHECK_ALL) filch__ledger_end(runtime);
}

void filch__debug_forget(void) {
    filch__circle_forget();
    filch__ledger_forget();
}

/* ----------------------------------------------------------------------------------------------------- wrong threads */

int filch__debug_no_task(const char *call) {
    enum { FRAMES = 24, OWN = 1 };
    struct filch__debug debug = {0};
    filch__debug_of_environment(&debug); /* perhaps there is no runtime yet */
    if (!filch__debug_has(CHECK_THREAD) && !(debug.checks & CHECK_THREAD)) return -EPERM;
    struct filch__complaint complaint;
    void *frames[FRAMES];
    char name[32] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    int depth = backtrace(frames, FRAMES);
    filch__complaint_begin(&complaint, NULL, "wrong-thread");
    filch__complaint_say(&complaint,
                         "%s is for tasks, and was called by thread %d \"%s\", which runs none: -EPERM. At\n", call,
                         (int)gettid(), name);
    if (depth > OWN) filch__complaint_frames(&complaint, frames + OWN, (unsigned)(depth - OWN));
    filch__complaint_send(&complaint);
    return -EPERM;
}
