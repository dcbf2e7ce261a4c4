/* SPDX-License-Identifier: MIT */
/*
 * Faults: the life of a runtime (life.h), again and again, each time with another fault (seam.h, plan.h).
 *
 *     faults [--seconds S] [--seed N] [--jobs J] [--list]
 *     faults --workers W --poller epoll|io_uring [--fault CALL:NTH:ANSWER:MODE] [--times N]
 *
 * By the first, calls are counted in a clean life of each setting, and the faults that follow from that are tried out: all
 * of them, or those that S seconds are enough for, in an order that follows from the seed. Lives are led in children, one
 * after the other, so that a crash costs one child; what crashed, hung or found something wrong is told with the command
 * that does it again, which is the second one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/life.h"
#include "tests/faults/plan.h"

enum {
    JOBS_MAX = 16,
    LIVES_MAX = 500,     /* of a child; then it is looked at whether it has left anything, by those tools that do so */
    STUCK_TICKS = 20000, /* of a millisecond or more, each slept: a program that was stopped has not slept */
    FAILURES_MAX = 20,
};

static struct {
    double seconds; /* 0: all */
    unsigned long seed;
    unsigned jobs, times;
    bool list, one;
    struct trial trial;
} wish = {.seed = 1, .jobs = 2, .times = 1};

/* What parent and children share. */
static struct board {
    atomic_size_t next; /* trial that nobody has taken */
    atomic_bool enough;
    struct job {
        atomic_size_t trial; /* that it is at, and 1 */
        atomic_uint lives;
    } jobs[JOBS_MAX];
    unsigned counts[SEAM_KINDS]; /* of the life that was counted last */
    unsigned char struck[];      /* for each trial, whether its fault did */
} * board;

static void *share(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) abort();
    return memory;
}

/* --------------------------------------------------------------------------------------------------------- children */

/* Each job has a folder in one that the parent makes and takes away. */
static char base[64], folder[80];

static void folder_enter(unsigned job) {
    snprintf(folder, sizeof folder, "%s/%u", base, job);
    mkdir(folder, 0700);
}

static void folder_begin(void) {
    snprintf(base, sizeof base, "/tmp/filch-faults-XXXXXX");
    if (mkdtemp(base) == NULL) abort();
    folder_enter(0);
}

static void folder_clean(void) {
    static const char *const names[] = {"file", "other"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/folder", folder);
    rmdir(path);
}

static void folder_end(void) {
    for (unsigned job = 0; job < JOBS_MAX; job++) {
        folder_enter(job);
        folder_clean();
        rmdir(folder);
    }
    rmdir(base);
}

static void live(const struct trial *trial, const struct fault *fault) {
    life_live(trial->setting.workers, trial->setting.poller, fault, folder);
    folder_clean();
}

static int child_count(const struct trial *trial) {
    for (int i = 0; i < 3; i++) { /* how many there are varies with the schedule */
        live(trial, NULL);
        for (int call = 0; call < SEAM_KINDS; call++) {
            unsigned count = seam_count((enum seam_call)call);
            if (count > board->counts[call]) board->counts[call] = count;
        }
    }
    return 0;
}

static int child_try(const struct plan *plan, struct job *job) {
    folder_enter((unsigned)(job - board->jobs));
    for (int lives = 0; lives < LIVES_MAX && !atomic_load(&board->enough); lives++) {
        size_t i = atomic_fetch_add(&board->next, 1);
        if (i >= plan->count) break;
        atomic_store(&job->trial, i + 1);
        live(&plan->trials[i], &plan->trials[i].fault);
        board->struck[i] = seam_struck();
        atomic_fetch_add(&job->lives, 1);
        atomic_store(&job->trial, 0);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ parent */

static unsigned failures;

static void tell_failure(const struct trial *trial, const char *what) {
    char text[TRIAL_TEXT_MAX];
    failures++;
    if (trial == NULL) {
        fprintf(stderr, "faults: %s, after the last life\n", what);
    } else {
        fprintf(stderr, "faults: %s; again with: faults %s\n", what, trial_format(trial, text));
    }
}

static const char *tell_status(int status, char text[64]) {
    if (WIFSIGNALED(status)) {
        snprintf(text, 64, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        snprintf(text, 64, "ended with status %d", WEXITSTATUS(status));
    }
    return text;
}

/* Its tasks are told, and then it is ended. */
static void end_stuck(pid_t pid) {
    kill(pid, SIGQUIT);
    sleep(2);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* 0: it goes on. Else it has ended, and *what tells why if it was no good end. */
static bool look_at(pid_t pid, struct job *job, unsigned *seen, unsigned *still, const char **what, char text[64]) {
    int status = 0;
    *what = NULL;
    if (waitpid(pid, &status, WNOHANG) == pid) {
        if (status != 0) *what = tell_status(status, text);
        return true;
    }
    unsigned lives = atomic_load(&job->lives);
    *still = lives == *seen ? *still + 1 : 0;
    *seen = lives;
    if (*still < STUCK_TICKS) return false;
    end_stuck(pid);
    *what = "hung";
    return true;
}

static void count_calls(struct trial *trial) {
    struct job job = {.trial = 0};
    const char *what;
    char text[64];
    unsigned seen = 0, still = 0;
    memset(board->counts, 0, sizeof board->counts);
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) exit(child_count(trial));
    while (!look_at(pid, &job, &seen, &still, &what, text)) usleep(1000);
    if (what == NULL) return;
    fprintf(stderr, "faults: a life without a fault, %u workers: %s\n", trial->setting.workers, what);
    exit(1);
}

static void tell_counts(const struct trial *trial) {
    printf("%u workers, %s:", trial->setting.workers,
           trial->setting.poller == FILCH_POLLER_IO_URING ? "io_uring" : "epoll");
    for (int call = 0; call < SEAM_KINDS; call++) {
        if (board->counts[call] > 0) printf(" %s %u", seam_names[call], board->counts[call]);
    }
    printf("\n");
    fflush(stdout);
}

static bool time_is_over(int64_t begun) {
    return wish.seconds > 0 && (double)(filch_now() - begun) / 1e9 > wish.seconds;
}

static void sweep(const struct plan *plan, int64_t begun) {
    pid_t pids[JOBS_MAX] = {0};
    unsigned seen[JOBS_MAX] = {0}, still[JOBS_MAX] = {0}, running = 0;
    do {
        if (time_is_over(begun) || failures >= FAILURES_MAX) atomic_store(&board->enough, true);
        bool more = !atomic_load(&board->enough) && atomic_load(&board->next) < plan->count;
        for (unsigned i = 0; i < wish.jobs; i++) {
            const char *what;
            char text[64];
            struct job *job = &board->jobs[i];
            if (pids[i] != 0 && look_at(pids[i], job, &seen[i], &still[i], &what, text)) {
                size_t trial = atomic_load(&job->trial);
                if (what != NULL) tell_failure(trial == 0 ? NULL : &plan->trials[trial - 1], what);
                pids[i] = 0;
                running--;
            }
            if (pids[i] != 0 || !more) continue;
            atomic_store(&job->trial, 0);
            still[i] = 0;
            if ((pids[i] = fork()) == 0) exit(child_try(plan, job));
            if (pids[i] < 0) abort();
            running++;
        }
        usleep(1000);
    } while (running > 0);
}

static int report(const struct plan *plan, int64_t begun) {
    size_t lives = 0, struck = 0;
    for (unsigned i = 0; i < wish.jobs; i++) lives += atomic_load(&board->jobs[i].lives);
    for (size_t i = 0; i < plan->count; i++) struck += board->struck[i];
    printf(
        "%zu faults planned, %zu lives, in %zu of them the fault struck: %zu different faults; %u failures; %.1f s\n",
        plan->count, lives, struck, plan_different(plan, board->struck), failures, (double)(filch_now() - begun) / 1e9);
    if (struck == 0) fprintf(stderr, "faults: none struck\n");
    return failures == 0 && struck > 0 ? 0 : 1;
}

static int sweep_all(void) {
    static const unsigned workers[] = {1, 2, 8};
    static const filch_poller pollers[] = {FILCH_POLLER_EPOLL, FILCH_POLLER_IO_URING};
    struct plan plan = {.count = 0};
    board = share(sizeof *board);
    int64_t begun = filch_now();
    for (int i = 0; i < 6; i++) {
        struct trial trial = {.setting = {workers[i / 2], pollers[i % 2]}};
        count_calls(&trial);
        tell_counts(&trial);
        plan_add(&plan, &trial.setting, board->counts);
    }
    if (wish.seconds > 0) plan_shuffle(&plan, wish.seed);
    board = share(sizeof *board + plan.count);
    if (wish.list) {
        char text[TRIAL_TEXT_MAX];
        for (size_t i = 0; i < plan.count; i++) printf("%s\n", trial_format(&plan.trials[i], text));
        return 0;
    }
    sweep(&plan, begun);
    int status = report(&plan, begun);
    free(plan.trials);
    return status;
}

/* In this process, where a debugger sees it. */
static int try_one(void) {
    const struct fault *fault = wish.trial.fault.nth != 0 ? &wish.trial.fault : NULL;
    for (unsigned i = 0; i < wish.times; i++) {
        live(&wish.trial, fault);
        if (fault != NULL) printf("%s\n", seam_struck() ? "the fault struck" : "the fault did not strike");
    }
    return 0;
}

static void usage(void) {
    fprintf(stderr, "usage: faults [--seconds S] [--seed N] [--jobs J] [--list]\n"
                    "       faults --workers W --poller epoll|io_uring [--fault CALL:NTH:ANSWER:MODE] [--times N]\n");
    exit(2);
}

static bool take_option(const char *name, const char *value) {
    if (strcmp(name, "--seconds") == 0) return (wish.seconds = atof(value)) > 0;
    if (strcmp(name, "--seed") == 0) return wish.seed = strtoul(value, NULL, 0), true;
    if (strcmp(name, "--times") == 0) return (wish.times = (unsigned)atoi(value)) > 0;
    if (strcmp(name, "--jobs") == 0) return (wish.jobs = (unsigned)atoi(value)) > 0 && wish.jobs <= JOBS_MAX;
    wish.one = true;
    if (strcmp(name, "--workers") == 0) return (wish.trial.setting.workers = (unsigned)atoi(value)) > 0;
    if (strcmp(name, "--poller") == 0) return poller_parse(&wish.trial.setting.poller, value);
    return strcmp(name, "--fault") == 0 && fault_parse(&wish.trial.fault, value);
}

int main(int count, char **arguments) {
    wish.trial.setting = (struct setting){1, FILCH_POLLER_EPOLL};
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--list") == 0) {
            wish.list = true;
        } else if (i + 1 < count && take_option(arguments[i], arguments[i + 1])) {
            i++;
        } else {
            usage();
        }
    }
    signal(SIGUSR2, SIG_IGN); /* one that comes late, when nobody waits for it any more */
    folder_begin();
    int status = wish.one ? try_one() : sweep_all();
    folder_end();
    return status;
}
