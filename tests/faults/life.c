/* SPDX-License-Identifier: MIT */
/* The whole life: steps, in one runtime, and what is demanded of each and at the end. */
#include "tests/faults/life.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alloc/heap.h"

struct life life;

void life_failed(const char *file, int line, const char *what, long long value) {
    fprintf(stderr, "%s:%d: %s (%lld, %s)\n", file, line, what, value,
            seam_struck() ? "the fault has struck" : "no fault");
    _exit(1);
}

/* What a caller may be told of `fault`, beside its own errno: that it could do without memory and threads is not said. */
static bool explains(const struct fault *fault, long long answer) {
    if (answer == fault->answer) return true;
    switch (fault->call) {
    case SEAM_MEMORY:
    case SEAM_MMAP:
    case SEAM_MADVISE:
    case SEAM_MPROTECT:
        return answer == -ENOMEM || answer == -EAGAIN; /* the latter of what wants a helper thread */
    case SEAM_THREAD:
        return answer == -EAGAIN;
    case SEAM_GETADDRINFO:
        return answer <= -4096 || answer == -ENOENT || answer == -EAGAIN;
    default:
        return false;
    }
}

/* A stream's read that has failed to send what was written before waits on, as documented; the peer has got no request. */
static bool is_lost_request(const struct fault *fault) {
    bool sends = fault->call == SEAM_SEND || fault->call == SEAM_SENDMSG || fault->call == SEAM_WRITEV;
    return sends && fault->answer < 0 && fault->answer != -EINTR;
}

static bool is_impatient(void) {
    const struct fault *fault = life.fault;
    return fault != NULL && (fault->answer == -EAGAIN || fault->mode == SEAM_ALL || is_lost_request(fault));
}

/* What follows from somebody's having given up or hung up. */
static bool is_end(long long answer) {
    return answer == -EPIPE || answer == -ECONNRESET || answer == -ENODATA || answer == -ECANCELED ||
           answer == -ECONNREFUSED;
}

bool life_well(long long answer, bool peer, const char *file, int line, const char *what) {
    if (answer >= 0) return true;
    bool gave_up = is_impatient() && (answer == -ETIMEDOUT || (peer && is_end(answer)));
    if (gave_up) return false;
    bool explained = seam_struck() && (explains(life.fault, answer) || (peer && is_end(answer)));
    if (!explained) life_failed(file, line, what, answer);
    return false;
}

bool life_is_disturbed(void) {
    return seam_struck() || is_impatient();
}

filch_deadline life_patience(void) {
    return is_impatient() ? filch_after(FILCH_MS(30)) : FILCH_NEVER;
}

filch_task *life_start(filch_fn *fn, void *arg) {
    filch_task *task = NULL;
    if (!well(filch_spawn(&task, fn, arg, NULL))) return NULL;
    return task;
}

int life_end(filch_task *task) {
    int result = 0;
    if (task != NULL) must(filch_await(task, &result, FILCH_NEVER) == 0);
    return result;
}

static int live(void *arg) {
    static void (*const steps[])(void) = {
        step_tasks,     step_forks,    step_scopes,   step_locals,  step_blocking, step_times,
        step_locks,     step_meetings, step_channels, step_queues,  step_pairs,    step_servers,
        step_datagrams, step_pipes,    step_names,    step_signals, step_files,    step_processes,
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) steps[i]();
    *(bool *)arg = true;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------- ledger */

struct ledger {
    size_t objects;
    long mappings;
    int fds, threads;
};

static int entries(const char *path) {
    DIR *directory = opendir(path);
    int count = 0;
    must(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static struct ledger ledger_now(void) {
    return (struct ledger){filch__heap_objects(), seam_mappings(), entries("/proc/self/fd"),
                           entries("/proc/self/task")};
}

/* A thread that was joined may be listed for a moment. */
static void threads_must_be(int expected) {
    for (int i = 0; i < 10000 && entries("/proc/self/task") != expected; i++) usleep(100);
    int threads = entries("/proc/self/task");
    if (threads != expected) life_failed(__FILE__, __LINE__, "threads are left", threads - expected);
}

/* The process keeps one descriptor for signals, once there was need of it. */
static void must_balance(const struct ledger *before) {
    static bool signals_kept;
    threads_must_be(before->threads);
    struct ledger after = ledger_now();
    must(after.objects == before->objects);
    must(after.mappings == before->mappings);
    if (after.fds == before->fds + 1 && !signals_kept) {
        signals_kept = true;
    } else if (after.fds != before->fds) {
        life_failed(__FILE__, __LINE__, "descriptors are left", after.fds - before->fds);
    }
}

static void *tell_itself(void *tid) {
    *(pid_t *)tid = gettid();
    return NULL;
}

/* A sanitizer may have a thread of its own from the first thread on. The one made here is not listed any more, either. */
static void have_had_a_thread(void) {
    pthread_t thread;
    pid_t tid;
    must(pthread_create(&thread, NULL, tell_itself, &tid) == 0);
    pthread_join(thread, NULL);
    char listed[40];
    snprintf(listed, sizeof listed, "/proc/self/task/%d", (int)tid);
    for (int i = 0; i < 10000 && access(listed, F_OK) == 0; i++) usleep(100);
    must(access(listed, F_OK) != 0);
}

/* What fails for good would have some wait for ever, as they should: a task that needs memory to begin. So it ends. */
static void *relieve(void *over) {
    int left_us = 30000;
    while (!atomic_load((atomic_bool *)over) && left_us > 0) {
        usleep(1000);
        if (seam_struck()) left_us -= 1000;
    }
    seam_relieve();
    return NULL;
}

void life_live(unsigned workers, filch_poller poller, const struct fault *fault, const char *folder) {
    bool lived = false;
    life = (struct life){.fault = fault, .folder = folder};
    have_had_a_thread();
    struct ledger before = ledger_now();
    filch_options options = {.workers = workers, .poller = poller, .seed = 1, .blocking_threads = 2};
    atomic_bool over = false;
    pthread_t relief;
    bool lasting = fault != NULL && fault->mode == SEAM_ALL;
    if (lasting) must(pthread_create(&relief, NULL, relieve, &over) == 0);
    seam_arm(fault);
    int answer = filch_run(live, &lived, &options);
    bool explained = lived ? answer == 0 : !well(answer);
    seam_disarm();
    atomic_store(&over, true);
    if (lasting) pthread_join(relief, NULL);
    must(explained);
    must(life.started == life.ended);
    must_balance(&before);
}
