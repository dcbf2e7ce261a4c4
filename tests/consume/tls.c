/* SPDX-License-Identifier: MIT */
/* What somebody writes who has installed filch with filch-tls: a client, over a transport of its own that ends at once. */
#include <errno.h>
#include <filch/filch.h>
#include <filch/tls.h>
#include <stdio.h>

struct dead_end {
    size_t written;
};

static ssize_t read_nothing(void *self, void *buffer, size_t size, filch_deadline deadline) {
    (void)self, (void)buffer, (void)size, (void)deadline;
    return 0;
}

static ssize_t write_into_the_blue(void *self, const struct iovec *parts, int count, filch_deadline deadline) {
    struct dead_end *end = self;
    (void)deadline;
    size_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    end->written += length;
    return (ssize_t)length;
}

static void close_nothing(void *self) {
    (void)self;
}

static int program(void *arg) {
    static const filch_transport_ops ops = {
        .kind = "dead end", .read = read_nothing, .write = write_into_the_blue, .close = close_nothing};
    struct dead_end end = {0};
    filch_tls_failure failure = {0};
    filch_tls_options options = {.failure = &failure};
    filch_tls_context *context;
    filch_transport tls;
    (void)arg;
    if (filch_tls_context_create(&context, NULL) != 0) return 1;
    int error = filch_tls_client(&tls, (filch_transport){&ops, &end}, context, "example.org", &options,
                                 filch_after(FILCH_SEC(10)));
    filch_tls_context_destroy(context);
    printf("%zu bytes of hello, then: %s\n", end.written, failure.text);
    return error == -ECONNABORTED && end.written > 100 ? 0 : 2;
}

int main(void) {
    int result = filch_run(program, NULL, &(filch_options){.name = "consume", .workers = 2});
    printf("filch-tls %s from C: %s (%d)\n", filch_version(), result == 0 ? "right" : "wrong", result);
    return result != 0;
}
