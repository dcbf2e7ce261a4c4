/* SPDX-License-Identifier: MIT */
/* Transports over descriptors, and streams over those. */
#include "alloc/heap.h"
#include "io/address.h"
#include "io/io.h"
#include "io/stream.h"

struct fd_transport {
    filch_fd fd;
};

static filch_fd fd_of(void *self) {
    return ((struct fd_transport *)self)->fd;
}

static ssize_t fd_read(void *self, void *buffer, size_t size, filch_deadline deadline) {
    return filch_fd_read(fd_of(self), buffer, size, deadline);
}

static ssize_t fd_write(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    if (count == 1) return filch_fd_write(fd_of(self), parts->iov_base, parts->iov_len, deadline);
    return filch_fd_writev(fd_of(self), parts, count, deadline);
}

/* Of what is no socket nothing can be told to the other side but by closing it. */
static int answer_of(int result, int error) {
    if (result == 0) return 0;
    return error == ENOTSOCK ? -EOPNOTSUPP : -error;
}

/* Never inlined, since the errno of the thread that the caller was on before is another. */
static never_inline int shut_number(int number) {
    int result = shutdown(number, SHUT_WR);
    return answer_of(result, errno);
}

static int fd_shutdown(void *self, filch_deadline deadline) {
    (void)deadline;
    if (filch__cancelled()) return -ECANCELED;
    struct filch__record *record;
    int error = filch__record_enter(fd_of(self), &record);
    if (error != 0) return error;
    error = shut_number(record->number);
    filch__record_leave(record);
    return error;
}

static void fd_close(void *self) {
    (void)filch_fd_close(fd_of(self)); /* -EBADF: once more */
}

static void fd_destroy(void *self) {
    filch__heap_put(self, sizeof(struct fd_transport), _Alignof(struct fd_transport));
}

static never_inline int address_of_number(int number, bool peer, filch_address *address) {
    filch_address found = {.length = sizeof found.local};
    int result = (peer ? getpeername : getsockname)(number, &found.any, &found.length);
    filch__address_told(&found);
    if (result == 0) *address = found;
    return answer_of(result, errno);
}

static int fd_address(void *self, bool peer, filch_address *address) {
    struct filch__record *record;
    int error = filch__record_enter(fd_of(self), &record);
    if (error != 0) return error;
    error = address_of_number(record->number, peer, address);
    filch__record_leave(record);
    return error;
}

static const filch_transport_ops fd_ops = {
    .kind = "descriptor",
    .read = fd_read,
    .write = fd_write,
    .shutdown = fd_shutdown,
    .close = fd_close,
    .destroy = fd_destroy,
    .address = fd_address,
    .descriptor = fd_of,
};

int filch_transport_open_fd(filch_transport *transport, filch_fd fd) {
    if (transport == NULL) return -EINVAL;
    int number = filch_fd_number(fd);
    if (number < 0) return number;
    struct fd_transport *made = filch__heap_get(sizeof *made, _Alignof(struct fd_transport));
    if (made == NULL) return -ENOMEM;
    made->fd = fd;
    *transport = (filch_transport){.ops = &fd_ops, .self = made};
    return 0;
}

int filch_stream_open_fd(filch_stream **stream, filch_fd fd, const filch_stream_options *options) {
    if (stream == NULL) return -EINVAL;
    filch_transport transport;
    int error = filch_transport_open_fd(&transport, fd);
    if (error != 0) return error;
    error = filch_stream_create(stream, transport, options);
    if (error != 0) fd_destroy(transport.self); /* without a close: the descriptor stays open */
    return error;
}
