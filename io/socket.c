/* SPDX-License-Identifier: MIT */
#include "io/socket.h"

#include <limits.h>

#include "io/address.h"
#include "io/attempt.h"
#include "io/io.h"
#include "sched/child.h"
#include "sched/runtime.h"

#define CONNECT_PAUSE_MIN_NS FILCH_MS(1)
#define CONNECT_PAUSE_MAX_NS FILCH_MS(50)

/* ------------------------------------------------------------------------------------------------------- system calls */

never_inline int filch__socket_set_bytes(int number, int level, int option, const void *value, size_t size) {
    return setsockopt(number, level, option, value, (socklen_t)size) == 0 ? 0 : -errno;
}

int filch__socket_set(int number, int level, int option, int value) {
    return filch__socket_set_bytes(number, level, option, &value, sizeof value);
}

never_inline int filch__socket_get(int number, int level, int option, int *value) {
    socklen_t size = sizeof *value;
    return getsockopt(number, level, option, value, &size) == 0 ? 0 : -errno;
}

never_inline int filch__socket_bind(int number, const filch_address *address) {
    return bind(number, &address->any, address->length) == 0 ? 0 : -errno;
}

never_inline int filch__socket_listen(int number, int backlog) {
    return listen(number, backlog == 0 ? INT_MAX : backlog) == 0 ? 0 : -errno;
}

int filch__socket_begin_connect(int number, const filch_address *address) {
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    if (address == NULL) return filch__system_connect(number, &nobody, sizeof nobody);
    return filch__system_connect(number, &address->any, address->length);
}

never_inline int filch__socket_name(int number, bool peer, filch_address *address) {
    address->length = sizeof address->local; /* the largest one */
    int result = peer ? getpeername(number, &address->any, &address->length)
                      : getsockname(number, &address->any, &address->length);
    filch__address_told(address);
    return result == 0 ? 0 : -errno;
}

int filch__socket_take(filch_fd *fd, int number, bool tcp, filch_runtime *runtime, int error) {
    if (runtime == NULL) runtime = filch_runtime_current();
    if (error == 0 && runtime == NULL)
        error = filch__debug_no_task("a call that opens a socket, and names no runtime,");
    if (error == 0 && filch__runtime_is_parents(runtime)) error = -ESHUTDOWN;
    if (error == 0) return filch__fd_take(fd, number, tcp, runtime);
    (void)filch__system_close(number);
    return error;
}

/* ------------------------------------------------------------------------------------------------------------ options */

struct option {
    int level, name;
    const void *value;
    size_t size;
};

static ssize_t set_option(int number, void *arg) {
    const struct option *option = arg;
    return filch__socket_set_bytes(number, option->level, option->name, option->value, option->size);
}

int filch__fd_set_bytes(filch_fd fd, int level, int option, const void *value, size_t size) {
    struct option set = {level, option, value, size};
    return (int)filch__attempt_once(fd, set_option, &set);
}

int filch__fd_set(filch_fd fd, int level, int option, int value) {
    return filch__fd_set_bytes(fd, level, option, &value, sizeof value);
}

int filch_fd_set_buffers(filch_fd fd, size_t sending, size_t receiving) {
    if (sending > INT_MAX || receiving > INT_MAX) return -EINVAL;
    if (filch_fd_number(fd) < 0) return -EBADF;
    int error = sending == 0 ? 0 : filch__fd_set(fd, SOL_SOCKET, SO_SNDBUF, (int)sending);
    if (error == 0 && receiving != 0) error = filch__fd_set(fd, SOL_SOCKET, SO_RCVBUF, (int)receiving);
    return error;
}

/* ------------------------------------------------------------------------------------------------------------ address */

static ssize_t read_name(int number, void *arg) {
    return filch__socket_name(number, false, arg);
}

static ssize_t read_peer(int number, void *arg) {
    return filch__socket_name(number, true, arg);
}

int filch_fd_address(filch_fd fd, bool peer, filch_address *address) {
    if (address == NULL) return -EINVAL;
    filch_address found = {0};
    ssize_t answer = filch__attempt_once(fd, peer ? read_peer : read_name, &found);
    if (answer < 0) return (int)answer;
    int family = filch__address_family(&found);
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return -EAFNOSUPPORT;
    *address = found;
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ connect */

static ssize_t begin_connect(int number, void *arg) {
    return filch__socket_begin_connect(number, arg);
}

/* What has become of it: 0, or -errno; -EINPROGRESS: nothing yet. */
static ssize_t look_at_connect(int number, void *arg) {
    (void)arg;
    int said = 0, error = filch__socket_get(number, SOL_SOCKET, SO_ERROR, &said);
    if (error != 0 || said != 0) return error != 0 ? error : -said;
    filch_address peer;
    error = filch__socket_name(number, true, &peer);
    return error == -ENOTCONN ? -EINPROGRESS : error;
}

static ssize_t begin_when_there_is_room(filch_fd fd, const filch_address *address, filch_deadline deadline) {
    int64_t pause_ns = CONNECT_PAUSE_MIN_NS;
    ssize_t answer;
    while ((answer = filch__attempt_once(fd, begin_connect, (void *)(uintptr_t)address)) == -EAGAIN) {
        int error = filch__pause(&pause_ns, CONNECT_PAUSE_MAX_NS, deadline);
        if (error != 0) return error;
    }
    return answer;
}

static int wait_for_connect(filch_fd fd, const filch_address *address, filch_deadline deadline) {
    if (filch__cancelled()) return -ECANCELED;
    ssize_t answer = begin_when_there_is_room(fd, address, deadline);
    while (answer == -EINPROGRESS) {
        int ready = filch_fd_wait(fd, FILCH_WRITABLE, deadline);
        if (ready < 0) return ready;
        answer = filch__attempt_once(fd, look_at_connect, NULL);
    }
    return (int)answer;
}

int filch__socket_connect(filch_fd *connection, filch_fd fd, const filch_address *address, filch_deadline deadline) {
    int error = wait_for_connect(fd, address, deadline);
    if (error == 0) {
        *connection = fd;
    } else {
        filch_fd_close(fd);
    }
    return error;
}
