/* SPDX-License-Identifier: MIT */
/*
 * Which backend a runtime gets, at its first use of a descriptor. For sockets epoll is the default: it was the faster one,
 * and io_uring is forbidden in many containers (docs/IO.md). Who asks for io_uring and cannot have it gets epoll.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/ring_door.h"
#include "sched/runtime.h"

struct choice {
    filch_poller poller;
    const char *asked_by; /* who has asked for it, in words; static text */
};

/* Once: what was asked for is not what is had. */
static void tell_of_word(void) {
    char line[128];
    int length = snprintf(line, sizeof line, "filch: FILCH_POLLER: there is no \"%.60s\"; there are epoll, io_uring\n",
                          getenv("FILCH_POLLER"));
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

/* What the environment names, or the default. */
static struct choice environments_choice(void) {
    const char *name = getenv("FILCH_POLLER");
    if (name == NULL || *name == '\0') return (struct choice){FILCH_POLLER_DEFAULT, "the default"};
    if (strcmp(name, "epoll") == 0) return (struct choice){FILCH_POLLER_EPOLL, "as FILCH_POLLER says"};
    if (strcmp(name, "io_uring") == 0) return (struct choice){FILCH_POLLER_IO_URING, "as FILCH_POLLER says"};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, tell_of_word);
    return (struct choice){FILCH_POLLER_DEFAULT, "the default, since FILCH_POLLER names neither epoll nor io_uring"};
}

static struct choice choice_of(const struct filch_runtime *runtime) {
    if (runtime->poller_wish == FILCH_POLLER_DEFAULT) return environments_choice();
    return (struct choice){runtime->poller_wish, "as the options say"};
}

/* One line: the backend that was opened, and why; `error` of io_uring, which was asked for, or 0. */
static void tell(const struct filch__io *io, struct choice choice, int error) {
    if (!(io->runtime->debug.checks & CHECK_IO)) return;
    char line[256], reason[128] = "";
    if (error != 0) {
        const char *what = io->refused != NULL ? io->refused : "io_uring";
        snprintf(reason, sizeof reason, ", but %.60s: %.40s", what, strerrordesc_np(-error));
    }
    int length = snprintf(line, sizeof line, "filch: runtime \"%s\" watches descriptors by %s (%s%s)\n",
                          io->runtime->name, io->backend->name, choice.asked_by, reason);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

static int open_backend(struct filch__io *io, const struct filch__backend *backend) {
    io->backend = backend;
    return backend->open(io);
}

int filch__io_choose(struct filch__io *io) {
    struct choice choice = choice_of(io->runtime);
    int refused = 0, error = -ENOSYS;
    if (choice.poller == FILCH_POLLER_IO_URING) error = refused = open_backend(io, &filch__backend_uring);
    if (error != 0) error = open_backend(io, &filch__backend_epoll);
    if (choice.poller != FILCH_POLLER_EPOLL && refused == 0) io->files = &filch__file_engine_uring;
    if (error == 0) tell(io, choice, refused);
    return error;
}

const char *filch_runtime_poller(const filch_runtime *runtime) {
    if (runtime == NULL) return NULL;
    struct filch__poller *poller = load_acquire(&runtime->poller); /* carries all of it */
    return poller == NULL ? NULL : ((struct filch__io *)(void *)poller)->backend->name;
}
