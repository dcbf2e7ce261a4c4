/* SPDX-License-Identifier: MIT */
#include <filch/unix.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/address.h"
#include "io/attempt.h"
#include "io/io.h"
#include "io/socket.h"

static bool is_local(const filch_address *address) {
    return filch__address_family(address) == AF_UNIX && address->length > offsetof(struct sockaddr_un, sun_path);
}

/* -------------------------------------------------------------------------------------------------------------- opening */

/*
 * Whether the path is that of a socket that nobody has any more: then a connection is refused. It is tried with a socket of
 * another kind, which one that is there answers by EPROTOTYPE, and does not take for a client.
 */
static bool is_stale(const filch_address *address, int kind) {
    struct stat status;
    const char *path = address->local.sun_path;
    if (path[0] == '\0' || lstat(path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    int number = filch__system_socket(AF_UNIX, kind == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (number < 0) return false;
    int answer = filch__socket_begin_connect(number, address);
    (void)filch__system_close(number);
    return answer == -ECONNREFUSED;
}

static never_inline int remove_file(const char *path) {
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int bind_or_replace(int number, const filch_address *address, int kind, bool keep_stale) {
    int error = filch__socket_bind(number, address);
    if (error != -EADDRINUSE || keep_stale || !is_stale(address, kind)) return error;
    error = remove_file(address->local.sun_path);
    return error != 0 ? error : filch__socket_bind(number, address);
}

int filch_unix_listen(filch_fd *listener, const filch_address *address, const filch_unix_listen_options *options) {
    static const filch_unix_listen_options defaults;
    if (options == NULL) options = &defaults;
    if (listener == NULL || !is_local(address) || options->backlog < 0) return -EINVAL;
    int number = filch__system_socket(AF_UNIX, SOCK_STREAM, 0);
    if (number < 0) return number;
    int error = bind_or_replace(number, address, SOCK_STREAM, options->keep_stale);
    if (error == 0) error = filch__socket_listen(number, options->backlog);
    return filch__socket_take(listener, number, false, options->runtime, error);
}

int filch_unix_accept(filch_fd listener, filch_fd *connection, filch_address *peer, filch_deadline deadline) {
    return filch__accept(listener, connection, peer, deadline);
}

static filch_runtime *runtime_of(const filch_fd_options *options) {
    return options == NULL ? NULL : options->runtime;
}

int filch_unix_connect(filch_fd *connection, const filch_address *address, const filch_fd_options *options,
                       filch_deadline deadline) {
    if (connection == NULL || !is_local(address)) return -EINVAL;
    int number = filch__system_socket(AF_UNIX, SOCK_STREAM, 0);
    if (number < 0) return number;
    filch_fd fd;
    int error = filch__socket_take(&fd, number, false, runtime_of(options), 0);
    return error != 0 ? error : filch__socket_connect(connection, fd, address, deadline);
}

int filch_unix_datagram(filch_fd *fd, const filch_address *local, const filch_address *peer,
                        const filch_fd_options *options) {
    if (fd == NULL || (local != NULL && !is_local(local)) || (peer != NULL && !is_local(peer))) return -EINVAL;
    int number = filch__system_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (number < 0) return number;
    int error = local == NULL ? 0 : bind_or_replace(number, local, SOCK_DGRAM, false);
    if (error == 0 && peer != NULL) error = filch__socket_begin_connect(number, peer);
    return filch__socket_take(fd, number, false, runtime_of(options), error);
}

static never_inline int open_pair(int kind, int numbers[2]) {
    return socketpair(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, numbers) == 0 ? 0 : -errno;
}

int filch_unix_pair(filch_fd *one, filch_fd *other, int kind, const filch_fd_options *options) {
    int numbers[2];
    filch_fd ends[2];
    if (one == NULL || other == NULL) return -EINVAL;
    if (kind != SOCK_STREAM && kind != SOCK_DGRAM && kind != SOCK_SEQPACKET) return -EINVAL;
    int error = open_pair(kind, numbers);
    if (error != 0) return error;
    error = filch__socket_take(&ends[0], numbers[0], false, runtime_of(options), 0);
    int first = error;
    error = filch__socket_take(&ends[1], numbers[1], false, runtime_of(options), first);
    if (error != 0) {
        if (first == 0) filch_fd_close(ends[0]);
        return error;
    }
    *one = ends[0];
    *other = ends[1];
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- descriptors */

/* Room for one control message with as many descriptors as there can be: 1,032 bytes. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(FILCH_UNIX_FDS_MAX * sizeof(int))];
};

ssize_t filch_unix_send_fds(filch_fd fd, const void *data, size_t size, const int *numbers, size_t count,
                            filch_deadline deadline) {
    if (data == NULL || size == 0 || numbers == NULL || count == 0 || count > FILCH_UNIX_FDS_MAX) return -EINVAL;
    union control control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    control.header.cmsg_len = CMSG_LEN(count * sizeof *numbers);
    memcpy(CMSG_DATA(&control.header), numbers, count * sizeof *numbers);
    struct iovec part = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(count * sizeof *numbers)};
    return filch_fd_sendmsg(fd, &message, 0, deadline);
}

#ifndef SCM_PIDFD
#define SCM_PIDFD 4 /* Linux 6.5 */
#endif

/* One for the sender, where the socket's owner has asked for that (SO_PASSPIDFD): not for this call, which tells of none. */
static void close_sender(const struct cmsghdr *control) {
    int number;
    if (control->cmsg_len < CMSG_LEN(sizeof number)) return;
    memcpy(&number, CMSG_DATA(control), sizeof number);
    if (number >= 0) (void)filch__system_close(number);
}

/* Takes the descriptors out of a message that has been received. */
static void take_fds(struct msghdr *message, filch_unix_fds *fds) {
    fds->count = 0;
    fds->lost = message->msg_flags & MSG_CTRUNC;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET) continue;
        if (control->cmsg_type == SCM_PIDFD) close_sender(control);
        if (control->cmsg_type != SCM_RIGHTS) continue;
        const unsigned char *from = CMSG_DATA(control);
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int number;
            memcpy(&number, from + i * sizeof number, sizeof number);
            if (fds->count < fds->room) {
                fds->numbers[fds->count++] = number;
            } else {
                (void)filch__system_close(number); /* cannot be: the kernel was given room for just `room` */
                fds->lost = true;
            }
        }
    }
}

/* The length says how many descriptors the kernel may make: CMSG_SPACE rounds up, and so may allow one more. */
ssize_t filch_unix_recv_fds(filch_fd fd, void *buffer, size_t size, filch_unix_fds *fds, filch_deadline deadline) {
    if (buffer == NULL || size == 0 || fds == NULL || fds->room > FILCH_UNIX_FDS_MAX) return -EINVAL;
    if (fds->numbers == NULL && fds->room != 0) return -EINVAL;
    union control control;
    struct iovec part = {buffer, size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = fds->room == 0 ? 0 : CMSG_LEN(fds->room * sizeof(int))};
    ssize_t got = filch_fd_recvmsg(fd, &message, MSG_CMSG_CLOEXEC, deadline);
    if (got < 0) return got;
    take_fds(&message, fds);
    if ((message.msg_flags & MSG_TRUNC) == 0) return got;
    for (size_t i = 0; i < fds->count; i++) (void)filch__system_close(fds->numbers[i]);
    fds->count = 0;
    return -EMSGSIZE;
}

static never_inline ssize_t read_peer(int number, void *arg) {
    struct ucred *peer = arg;
    socklen_t size = sizeof *peer;
    int family, error = filch__socket_get(number, SOL_SOCKET, SO_DOMAIN, &family);
    if (error != 0) return error;
    if (family != AF_UNIX) return -EOPNOTSUPP;
    int listens; /* then what is told is who listens */
    error = filch__socket_get(number, SOL_SOCKET, SO_ACCEPTCONN, &listens);
    if (error != 0 || listens) return error != 0 ? error : -ENOTCONN;
    return getsockopt(number, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0 ? 0 : -errno;
}

int filch_unix_peer(filch_fd fd, filch_unix_credentials *credentials) {
    struct ucred peer;
    if (credentials == NULL) return -EINVAL;
    ssize_t answer = filch__attempt_once(fd, read_peer, &peer);
    if (answer < 0) return (int)answer;
    if (peer.pid == 0) return -ENOTCONN;
    *credentials = (filch_unix_credentials){peer.pid, peer.uid, peer.gid};
    return 0;
}
