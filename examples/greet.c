/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdio.h>
static int greet(filch_fd peer, const filch_address *from, void *greeting) { /* a task for each connection */
    char name[64];
    ssize_t length = filch_fd_read(peer, name, sizeof name, filch_after(FILCH_SEC(10))); /* waits, and only this task */
    (void)from;
    if (length > 0) length = filch_fd_write_all(peer, greeting, 7, NULL, FILCH_NEVER);
    return (int)length; /* and the connection is closed */
}
static int serve(void *listener) { /* until it is cancelled */
    return filch_serve(*(filch_fd *)listener, greet, "hello!\n", NULL);
}
static int program(void *arg) { /* a server, and a client of it */
    filch_fd listener, server;
    filch_address at = filch_address_ip4_loopback(0); /* any port that is free */
    filch_task *task;
    char answer[8] = "";
    int error = filch_tcp_listen(&listener, &at, NULL);
    if (error == 0) error = filch_fd_address(listener, false, &at); /* which port it is */
    if (error == 0) error = filch_spawn(&task, serve, &listener, NULL);
    if (error != 0) return error;
    if ((error = filch_tcp_connect_address(&server, &at, NULL, filch_after(FILCH_SEC(10)))) == 0) {
        error = filch_fd_write_all(server, "filch", 5, NULL, FILCH_NEVER);
        if (error == 0) error = (int)filch_fd_read(server, answer, 7, filch_after(FILCH_SEC(10)));
        filch_fd_close(server);
    }
    printf("%s", error > 0 ? answer : "no answer\n");
    (void)arg, (void)filch_task_cancel(task);
    if (filch_await(task, &error, FILCH_NEVER) == 0) filch_fd_close(listener);
    return error == -ECANCELED ? 0 : error;
}
int main(void) {
    return filch_run(program, NULL, NULL) == 0 ? 0 : 1;
}
