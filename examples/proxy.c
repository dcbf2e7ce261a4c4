/* SPDX-License-Identifier: MIT */
/* A TCP proxy: when one side has said all it has to say, the other is told so (half a close) and may still answer. */
#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdio.h>

static int forward(void *arg) {
    filch_fd *from_to = arg;
    char buffer[8192];
    ssize_t size;
    int error = 0;
    while (error == 0 && (size = filch_fd_read(from_to[0], buffer, sizeof buffer, FILCH_NEVER)) != 0) {
        error = size < 0 ? (int)size : filch_fd_write_all(from_to[1], buffer, (size_t)size, NULL, FILCH_NEVER);
    }
    return error != 0 ? error : filch_tcp_shutdown(from_to[1], SHUT_WR);
}

/* With a server behind it, a proxy: both directions at once; if one fails, the scope cancels the other. Else an echo. */
static int handle(filch_fd client, const filch_address *peer, void *behind) {
    filch_fd there[] = {client, client}, back[] = {client, client};
    filch_scope scope;
    (void)peer;
    if (behind == NULL) return forward(there);
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    error = filch_tcp_connect_address(&there[1], behind, NULL, filch_after(FILCH_SEC(10)));
    back[0] = there[1];
    if (error == 0) error = filch_scope_spawn(&scope, NULL, forward, there, NULL);
    if (error == 0) error = forward(back);
    filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope);
    filch_fd_close(there[1]);
    return error;
}

struct service {
    filch_fd listener;
    filch_address address, *behind;
};

static int serve(void *arg) {
    struct service *service = arg;
    return filch_serve(service->listener, handle, service->behind, NULL);
}

static int ask(const filch_address *address) {
    char answer[32] = "";
    filch_fd fd = FILCH_FD_NONE;
    int error = filch_tcp_connect_address(&fd, address, NULL, filch_after(FILCH_SEC(10)));
    if (error == 0) error = filch_fd_write_all(fd, "there and back", 14, NULL, FILCH_NEVER);
    if (error == 0) error = filch_tcp_shutdown(fd, SHUT_WR);
    if (error == 0) error = filch_fd_read_exactly(fd, answer, 31, NULL, filch_after(FILCH_SEC(10)));
    filch_fd_close(fd);
    return error == -ENODATA ? printf("%s, and the end\n", answer) < 0 : error;
}

static int relay(void *arg) {
    struct service *services = arg;
    filch_scope scope;
    int error = filch_scope_open(&scope, NULL);
    if (error != 0) return error;
    for (int i = 0; i < 2 && error == 0; i++) {
        error = filch_tcp_listen(&services[i].listener, (filch_address[]){filch_address_ip4_loopback(0)}, NULL);
        if (error == 0) error = filch_fd_address(services[i].listener, false, &services[i].address);
        if (error == 0) error = filch_scope_spawn(&scope, NULL, serve, &services[i], NULL);
    }
    if (error == 0) error = ask(&services[1].address);
    filch_scope_cancel(&scope);
    filch_scope_close(&scope); /* its -ECANCELED is what was asked for */
    for (int i = 0; i < 2; i++) filch_fd_close(services[i].listener);
    return error;
}

int main(void) {
    struct service services[2] = {[1].behind = &services[0].address};
    return filch_run(relay, services, NULL) == 0 ? 0 : 1;
}
