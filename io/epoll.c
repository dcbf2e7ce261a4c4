/* SPDX-License-Identifier: MIT */
/*
 * The backend of epoll(7). Each descriptor is registered once, at its first wait, for both directions and edge by edge, so
 * that a request costs no epoll_ctl. An eventfd(2) interrupts; being watched edge by edge it is never read.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/tasksan.h"
#include "io/ring_door.h"

static int open_epoll(struct filch__io *io) {
    io->wait_fd = epoll_create1(EPOLL_CLOEXEC);
    if (io->wait_fd < 0) return -errno;
    io->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = EVENT_WAKE};
    if (io->event_fd >= 0 && epoll_ctl(io->wait_fd, EPOLL_CTL_ADD, io->event_fd, &event) == 0) return 0;
    int error = errno;
    if (io->event_fd >= 0) close(io->event_fd);
    close(io->wait_fd);
    return -error;
}

/* Of what the program has left open: the number has been closed, which is not yet all if a copy of it is watched. */
static int close_copy(void *object, void *argument) {
    struct filch__record *record = object;
    (void)argument;
    bool watched = (load_relaxed(&record->state) & RECORD_OPEN) && load_relaxed(&record->watched) == WATCH_ON;
    if (watched && record->watched_number != record->number) close(record->watched_number);
    return 0;
}

static void close_epoll(struct filch__io *io) {
    filch__slab_each(&io->records, close_copy, NULL);
    filch__io_close_ring(io);
    close(io->event_fd);
    close(io->wait_fd);
}

/*
 * With nanoseconds where the kernel has epoll_pwait2 (Linux 5.11), else with milliseconds, rounded up. A filter of system
 * calls that is older than this one may answer -EPERM, which the kernel itself does not.
 */
static int wait_until(int fd, struct epoll_event *events, unsigned room, int64_t until_ns) {
    if (until_ns == 0) return epoll_wait(fd, events, (int)room, 0);
    if (until_ns == INT64_MAX) return epoll_wait(fd, events, (int)room, -1);
    int64_t left_ns = until_ns - filch__clock_now();
    if (left_ns < 0) left_ns = 0;
    struct timespec left = {.tv_sec = left_ns / FILCH_SEC(1), .tv_nsec = left_ns % FILCH_SEC(1)};
    int count = epoll_pwait2(fd, events, (int)room, &left, NULL);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    int64_t left_ms = left_ns / FILCH_MS(1) + 1;
    return epoll_wait(fd, events, (int)room, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
}

static unsigned wait_epoll(struct filch__io *io, struct filch__poll_event *events, unsigned room, int64_t until_ns) {
    struct epoll_event ready[POLL_BATCH];
    unseen_begin();
    int count = wait_until(io->wait_fd, ready, room, until_ns);
    unseen_end();
    if (count < 0 && errno != EINTR) filch__die("internal: epoll_wait: error %d", errno);
    unsigned kept = 0;
    bool ring = false;
    for (int i = 0; i < count; i++) {
        uint64_t data = ready[i].data.u64;
        ring |= data == EVENT_RING;
        if (data == EVENT_WAKE || data == EVENT_RING) continue;
        events[kept++] = (struct filch__poll_event){.data = data, .events = ready[i].events};
    }
    return ring ? kept + filch__io_fetch_ring(io, &events[kept], room - kept) : kept;
}

static void deliver_one(const struct filch__poll_event *event) {
    if (event->data & EVENT_TAG) {
        filch__io_file_done(event);
        return;
    }
    struct filch__record *record = filch__event_record(event->data);
    if (filch__event_is_fresh(record, event->data)) filch__record_polled(record, event->events);
}

/* What is not a record's is no address of one; a hint to fetch it does no harm. */
static void prefetch(const struct filch__poll_event *events, unsigned count) {
    for (unsigned i = 0; i < count; i++) filch__record_prefetch(filch__event_record(events[i].data));
    for (unsigned i = 0; i < count; i++) {
        if (events[i].data & EVENT_TAG) continue;
        filch__record_prefetch_reader(filch__event_record(events[i].data));
    }
}

static void deliver_epoll(struct filch__io *io, const struct filch__poll_event *events, unsigned count) {
    enum { AT_ONCE = 32 };
    (void)io;
    for (unsigned i = 0; i < count; i++) {
        if (i % AT_ONCE == 0) prefetch(&events[i], count - i < AT_ONCE ? count - i : AT_ONCE);
        deliver_one(&events[i]);
    }
}

static void interrupt_epoll(struct filch__io *io) {
    uint64_t one = 1;
    unseen_begin();
    ssize_t ignored = write(io->event_fd, &one, sizeof one);
    unseen_end();
    (void)ignored;
}

/*
 * The number may be watched already: for filch_poll, any number of whose calls may wait at it, beside its owner. epoll
 * tells its entries apart by number too, so that a copy of it can be watched.
 */
static int watch_copy(struct filch__io *io, struct filch__record *record, struct epoll_event *event) {
    int copy = fcntl(record->number, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return -errno;
    if (epoll_ctl(io->wait_fd, EPOLL_CTL_ADD, copy, event) != 0) {
        int error = errno;
        close(copy);
        return -error;
    }
    record->watched_number = copy;
    return 0;
}

static int watch_epoll(struct filch__io *io, struct filch__record *record) {
    uint32_t bits = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    struct epoll_event event = {.events = bits};
    event.data.u64 = filch__event_data(record, load_acquire(&record->state));
    record->watched_number = record->number;
    if (epoll_ctl(io->wait_fd, EPOLL_CTL_ADD, record->number, &event) == 0) return 0;
    return errno == EEXIST ? watch_copy(io, record, &event) : -errno;
}

/* Closing would do it, but for a copy of the number in another process, which would go on to report. */
static void unwatch_epoll(struct filch__io *io, struct filch__record *record) {
    (void)epoll_ctl(io->wait_fd, EPOLL_CTL_DEL, record->watched_number, NULL);
    if (record->watched_number != record->number) close(record->watched_number);
}

/* Not edge by edge: what finds no room in a batch is to be told of again. */
static int watch_ring_epoll(struct filch__io *io, int number) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = EVENT_RING};
    return epoll_ctl(io->wait_fd, EPOLL_CTL_ADD, number, &event) == 0 ? 0 : -errno;
}

const struct filch__backend filch__backend_epoll = {
    .name = "epoll",
    .open = open_epoll,
    .close = close_epoll,
    .wait = wait_epoll,
    .deliver = deliver_epoll,
    .interrupt = interrupt_epoll,
    .watch = watch_epoll,
    .unwatch = unwatch_epoll,
    .watch_ring = watch_ring_epoll,
};
