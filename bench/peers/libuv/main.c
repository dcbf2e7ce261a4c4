/* SPDX-License-Identifier: MIT */
/*
 * filch-bench-libuv: the servers of the bench as callbacks on libuv's default loop. Started as the others are (net/serve.h):
 * --serve what system workers hogs argument, with a listening socket as descriptor 3. Of HTTP it looks for the end of the
 * head only, which is what "raw" means in the tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { LISTENER = 3, BACKLOG = 4096, INPUT_SIZE = 2048, TAIL = 4 };

struct talk {
    uv_tcp_t handle;
    char input[INPUT_SIZE];
    unsigned tail; /* how much of the end of a head has been seen */
};

/* An answer that the socket did not take at once. */
struct rest {
    uv_write_t request;
    char data[];
};

static const char hello[] = "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
                            "Hello, world\n";

static int http;

static void fail(const char *what, int error) {
    fprintf(stderr, "filch-bench-libuv: %s: %s\n", what, uv_strerror(error));
    exit(1);
}

static void free_talk(uv_handle_t *handle) {
    free(handle->data);
}

static void written(uv_write_t *request, int status) {
    if (status < 0 && !uv_is_closing((uv_handle_t *)request->handle))
        uv_close((uv_handle_t *)request->handle, free_talk);
    free(request->data);
}

/* At once as far as it goes; what is left is libuv's to send. */
static void say(struct talk *talk, const char *data, size_t size) {
    uv_buf_t buffer = uv_buf_init((char *)data, (unsigned)size);
    int sent = uv_try_write((uv_stream_t *)&talk->handle, &buffer, 1);
    if (sent == (int)size) return;
    if (sent < 0 && sent != UV_EAGAIN) return; /* the read that comes next tells */
    if (sent < 0) sent = 0;
    struct rest *rest = malloc(sizeof *rest + size - (size_t)sent);
    if (!rest) fail("malloc", UV_ENOMEM);
    memcpy(rest->data, data + sent, size - (size_t)sent);
    rest->request.data = rest;
    buffer = uv_buf_init(rest->data, (unsigned)(size - (size_t)sent));
    if (uv_write(&rest->request, (uv_stream_t *)&talk->handle, &buffer, 1, written) < 0) free(rest);
}

static void answer_http(struct talk *talk, const char *data, size_t size) {
    static const char end[] = "\r\n\r\n";
    for (size_t i = 0; i < size; i++) {
        talk->tail = data[i] == end[talk->tail] ? talk->tail + 1 : data[i] == '\r';
        if (talk->tail < TAIL) continue;
        talk->tail = 0;
        say(talk, hello, sizeof hello - 1);
    }
}

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buffer) {
    (void)size;
    *buffer = uv_buf_init(((struct talk *)handle->data)->input, INPUT_SIZE);
}

static void heard(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer) {
    struct talk *talk = stream->data;
    if (count < 0) {
        if (!uv_is_closing((uv_handle_t *)stream)) uv_close((uv_handle_t *)stream, free_talk);
    } else if (count > 0 && http) {
        answer_http(talk, buffer->base, (size_t)count);
    } else if (count > 0) {
        say(talk, buffer->base, (size_t)count);
    }
}

static void met(uv_stream_t *listener, int status) {
    if (status < 0) fail("listen", status);
    struct talk *talk = calloc(1, sizeof *talk);
    if (!talk) fail("calloc", UV_ENOMEM);
    uv_tcp_init(listener->loop, &talk->handle);
    talk->handle.data = talk;
    int error = uv_accept(listener, (uv_stream_t *)&talk->handle);
    if (error == 0) error = uv_tcp_nodelay(&talk->handle, 1);
    if (error == 0) error = uv_read_start((uv_stream_t *)&talk->handle, give_buffer, heard);
    if (error != 0) uv_close((uv_handle_t *)&talk->handle, free_talk);
}

int main(int count, char **arguments) {
    uv_tcp_t listener;
    if (count != 7) {
        fputs("filch-bench-libuv: this program is started by filch-bench\n", stderr);
        return 1;
    }
    http = strcmp(arguments[2], "http-hello") == 0;
    if (!http && strcmp(arguments[2], "echo") != 0) {
        fprintf(stderr, "filch-bench-libuv: does not do %s\n", arguments[2]);
        return 1;
    }
    uv_tcp_init(uv_default_loop(), &listener);
    int error = uv_tcp_open(&listener, LISTENER);
    if (error == 0) error = uv_listen((uv_stream_t *)&listener, BACKLOG, met);
    if (error != 0) fail("listen", error);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
