/* SPDX-License-Identifier: MIT */
/* Steps of descriptors: pairs and streams, the echo server over TCP and Unix, datagrams, pipes, names, signals. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/faults/life.h"

/* --------------------------------------------------------------------------------------------------- pairs and streams */

static int echo_lines(void *arg) {
    filch_stream *stream = arg;
    char line[100];
    ssize_t count;
    while ((count = filch_stream_read_until(stream, "\n", 1, line, sizeof line, life_patience())) > 0) {
        if (!well_with_peer(filch_stream_write(stream, line, (size_t)count, NULL, life_patience()))) break;
    }
    (void)well_with_peer(count);
    (void)well_with_peer(filch_stream_close(stream, life_patience()));
    filch_stream_destroy(stream);
    return 0;
}

static void ask_lines(filch_stream *stream) {
    for (int i = 0; i < 5; i++) {
        char line[100], reply[100];
        int length = snprintf(line, sizeof line, "request number %d\n", i);
        if (!well_with_peer(filch_stream_write(stream, line, (size_t)length, NULL, life_patience()))) return;
        ssize_t got = filch_stream_read_line(stream, reply, sizeof reply, life_patience());
        if (!well_with_peer(got)) return;
        must(got == 0 ? life_is_disturbed() : got == length && strncmp(reply, line, (size_t)length - 1) == 0);
        if (got == 0) return;
    }
}

static filch_stream *open_stream(filch_transport transport) {
    filch_stream *stream = NULL;
    if (well(filch_stream_create(&stream, transport, NULL))) return stream;
    transport.ops->close(transport.self);
    transport.ops->destroy(transport.self);
    return NULL;
}

static void talk_over(filch_transport ends[2]) {
    filch_stream *asking = open_stream(ends[0]), *answering = open_stream(ends[1]);
    filch_task *task = answering == NULL ? NULL : life_start(echo_lines, answering);
    if (task == NULL) {
        filch_stream_abort(answering);
        filch_stream_destroy(answering);
    }
    if (asking != NULL && task != NULL) ask_lines(asking);
    filch_stream_abort(asking);
    filch_stream_destroy(asking);
    must(life_end(task) == 0);
}

void step_pairs(void) {
    filch_transport ends[2];
    if (well(filch_pair_create(ends, 16))) talk_over(ends);
    filch_fd fds[2];
    if (!well(filch_unix_pair(&fds[0], &fds[1], SOCK_STREAM, NULL))) return;
    bool first = well(filch_transport_open_fd(&ends[0], fds[0])),
         second = well(filch_transport_open_fd(&ends[1], fds[1]));
    if (first && second) {
        talk_over(ends);
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (i == 0 ? first : second) {
            ends[i].ops->close(ends[i].self);
            ends[i].ops->destroy(ends[i].self);
        } else {
            (void)filch_fd_close(fds[i]);
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------ servers */

struct service {
    bool local; /* a Unix socket; else TCP */
    filch_fd listener;
    filch_address address;
    filch_server server;
};

static int echo(filch_fd connection, const filch_address *peer, void *arg) {
    char buffer[64];
    ssize_t size;
    (void)peer, (void)arg;
    while ((size = filch_fd_read(connection, buffer, sizeof buffer, life_patience())) > 0) {
        int error = filch_fd_write_all(connection, buffer, (size_t)size, NULL, life_patience());
        if (!well_with_peer(error)) return error;
    }
    if (size == -ECONNRESET) return 0; /* as a client of TCP ends */
    return well_with_peer(size) ? 0 : (int)size;
}

static int serve(void *arg) {
    struct service *service = arg;
    int answer = filch_serve(service->listener, echo, NULL, &(filch_serve_options){.server = &service->server});
    if (!well_with_peer(answer)) (void)filch_fd_close(service->listener); /* whoever waits in its queue is told */
    return 0;
}

static void converse(filch_fd fd) {
    char got[100];
    static const char text[] = "what comes back is what was sent";
    struct iovec parts[] = {{(void *)(uintptr_t)text, 10}, {(void *)(uintptr_t)(text + 10), sizeof text - 10}};
    for (int i = 0; i < 3; i++) {
        ssize_t sent = filch_fd_writev(fd, parts, 2, life_patience());
        if (!well_with_peer(sent)) return;
        if (!well_with_peer(filch_fd_write_all(fd, text + sent, sizeof text - (size_t)sent, NULL, life_patience()))) {
            return;
        }
        if (!well_with_peer(filch_fd_read_exactly(fd, got, sizeof text, NULL, life_patience()))) return;
        must(memcmp(got, text, sizeof text) == 0);
    }
}

static int be_client(void *arg) {
    struct service *service = arg;
    filch_fd fd = FILCH_FD_NONE;
    int answer = service->local ? filch_unix_connect(&fd, &service->address, NULL, life_patience())
                                : filch_tcp_connect_address(&fd, &service->address, NULL, life_patience());
    if (!well_with_peer(answer)) return 0;
    if (!service->local) {
        (void)well(filch_tcp_set_nodelay(fd, true));
        (void)well(filch_tcp_set_linger(fd, 0)); /* thousands of ports would be left waiting */
    }
    converse(fd);
    (void)well(filch_fd_close(fd));
    return 0;
}

static bool open_service(struct service *service) {
    char name[64];
    if (!service->local) {
        service->address = filch_address_ip4_loopback(0);
        return well(filch_tcp_listen(&service->listener, &service->address, NULL));
    }
    snprintf(name, sizeof name, "unix:@filch-faults-%d", (int)getpid());
    must(filch_address_parse(&service->address, name) == 0);
    return well(filch_unix_listen(&service->listener, &service->address, NULL));
}

static void run_service(struct service *service) {
    enum { CLIENTS = 3 };
    filch_task *clients[CLIENTS], *server = life_start(serve, service);
    for (int i = 0; i < CLIENTS && server != NULL; i++) clients[i] = life_start(be_client, service);
    for (int i = 0; i < CLIENTS && server != NULL; i++) must(life_end(clients[i]) == 0);
    filch_server_stop(&service->server);
    must(life_end(server) == 0);
    filch_serve_counts counts = filch_server_counts(&service->server);
    must(counts.active == 0 && counts.accepted == counts.finished + counts.cut + counts.dropped);
}

void step_servers(void) {
    for (int local = 0; local < 2; local++) {
        struct service service = {.local = local};
        if (!open_service(&service)) continue;
        if (well(filch_fd_address(service.listener, false, &service.address))) run_service(&service);
        int answer = filch_fd_close(service.listener);
        if (answer != -EBADF || !life_is_disturbed()) (void)well(answer);
    }
}

/* ---------------------------------------------------------------------------------------------------------- datagrams */

static void exchange_datagrams(filch_fd from, filch_fd to, const filch_address *address) {
    char text[] = "abc", got[8];
    filch_address sender;
    bool truncated;
    if (!well(filch_udp_send_to(from, text, 3, address, life_patience()))) return;
    if (well(filch_udp_recv_from(to, got, sizeof got, &sender, &truncated, life_patience()))) {
        must(memcmp(got, text, 3) == 0 && !truncated);
    }
    filch_datagram sent[2] = {{.data = text, .size = 2, .address = *address},
                              {.data = text, .size = 1, .address = *address}};
    int count = filch_udp_send_many(from, sent, 2, life_patience());
    if (!well(count)) return;
    char rooms[2][8];
    for (int got_all = 0; got_all < count;) {
        filch_datagram received[2] = {{.data = rooms[0], .room = 8}, {.data = rooms[1], .room = 8}};
        int some = filch_udp_recv_many(to, received, 2, life_patience());
        if (!well(some)) return;
        got_all += some;
    }
}

void step_datagrams(void) {
    filch_address any = filch_address_ip4_loopback(0), address;
    filch_fd one = FILCH_FD_NONE, other = FILCH_FD_NONE;
    bool opened = well(filch_udp_open(&one, &(filch_udp_options){.local = &any})) &&
                  well(filch_udp_open(&other, &(filch_udp_options){.local = &any})) &&
                  well(filch_fd_address(other, false, &address));
    if (opened) exchange_datagrams(one, other, &address);
    if (filch_fd_number(one) >= 0) (void)well(filch_fd_close(one));
    if (filch_fd_number(other) >= 0) (void)well(filch_fd_close(other));
}

/* -------------------------------------------------------------------------------------------------------------- pipes */

enum { FLOOD = 150000 }; /* more than a pipe holds */

static int flood(void *arg) {
    static const char zeros[5000];
    filch_fd fd = *(filch_fd *)arg;
    for (size_t done = 0; done < FLOOD; done += sizeof zeros) {
        if (!well_with_peer(filch_fd_write_all(fd, zeros, sizeof zeros, NULL, life_patience()))) break;
    }
    (void)well(filch_fd_close(fd));
    return 0;
}

/* Reads until the end: all of it, unless a fault has struck. */
static void drain(filch_fd fd) {
    char buffer[2000];
    size_t all = 0;
    ssize_t size;
    while ((size = filch_fd_read(fd, buffer, sizeof buffer, life_patience())) > 0) all += (size_t)size;
    if (well_with_peer(size)) must(all == FLOOD || life_is_disturbed());
    must(all <= FLOOD);
}

static void send_descriptor(filch_fd sent) {
    filch_fd ends[2], got = FILCH_FD_NONE;
    char byte = 'x';
    int number = filch_fd_number(sent), copy = -1;
    if (!well(filch_unix_pair(&ends[0], &ends[1], SOCK_STREAM, NULL))) return;
    if (well(filch_unix_send_fds(ends[0], &byte, 1, &number, 1, life_patience()))) {
        filch_unix_fds fds = {.numbers = &copy, .room = 1};
        ssize_t size = filch_unix_recv_fds(ends[1], &byte, 1, &fds, life_patience());
        if (well(size)) must(size == 1 && fds.count == 1 && !fds.lost);
    }
    if (copy >= 0 && well(filch_fd_adopt(&got, copy, NULL))) {
        (void)well(filch_fd_close(got));
    } else if (copy >= 0) {
        close(copy);
    }
    (void)well(filch_fd_close(ends[0]));
    (void)well(filch_fd_close(ends[1]));
}

/* From the pipe into a socket, and from a file into it. */
static void splice_and_send(filch_fd from, filch_fd to) {
    (void)well_with_peer(filch_fd_splice(from, to, 1000, life_patience()));
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (!well(file < 0 ? -errno : 0)) return;
    int64_t offset = 0;
    (void)well_with_peer(filch_fd_sendfile(to, file, &offset, 1000, life_patience()));
    (void)well(close(file) < 0 ? -errno : 0);
}

void step_pipes(void) {
    filch_fd reading, writing, ends[2];
    if (!well(filch_pipe_open(&reading, &writing, NULL))) return;
    int ready = filch_fd_wait(writing, FILCH_WRITABLE, life_patience());
    if (well(ready)) must(ready & FILCH_WRITABLE);
    int polled = filch_poll(filch_fd_number(reading), FILCH_READABLE, filch_after(FILCH_US(10)));
    if (polled != -ETIMEDOUT) (void)well(polled);
    send_descriptor(reading);
    if (well(filch_unix_pair(&ends[0], &ends[1], SOCK_STREAM, NULL))) {
        if (well(filch_fd_write(writing, "spliced", 7, life_patience()))) splice_and_send(reading, ends[0]);
        (void)well(filch_fd_close(ends[0]));
        (void)well(filch_fd_close(ends[1]));
        char left[8];
        ssize_t size = filch_fd_read(reading, left, sizeof left, filch_after(0)); /* unless it was spliced */
        if (size != -ETIMEDOUT) (void)well(size);
    }
    filch_task *flooding = life_start(flood, &writing);
    if (flooding == NULL) (void)well(filch_fd_close(writing));
    if (flooding != NULL) drain(reading);
    (void)well(filch_fd_close(reading));
    must(life_end(flooding) == 0);
}

/* --------------------------------------------------------------------------------------------------- names and signals */

void step_names(void) {
    filch_address addresses[4];
    int count =
        filch_resolve("127.0.0.1", "80", &(filch_resolve_options){.numeric = true}, addresses, 4, life_patience());
    if (well(count)) must(count == 1 && filch_address_port(&addresses[0]) == 80);
    count =
        filch_resolve("localhost", "80", &(filch_resolve_options){.family = AF_INET}, addresses, 4, life_patience());
    if (well(count)) must(count >= 1);
}

void step_signals(void) {
    filch_signals *signals;
    filch_signal_info info;
    int number = SIGUSR2;
    if (!well(filch_signal_open(&signals, &number, 1, NULL))) return;
    must(kill(getpid(), SIGUSR2) == 0);
    if (well(filch_signal_wait(signals, &info, life_patience()))) must(info.number == SIGUSR2 && info.count == 1);
    filch_signal_close(signals);
}
