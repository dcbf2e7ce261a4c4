/* SPDX-License-Identifier: MIT */
/* Signals that stop the program: SIGINT and SIGTERM, as something that a task can wait for. */
#ifndef HTTPD_STOP_H
#define HTTPD_STOP_H

#include <filch/fd.h>

/* From here on these signals have no effect, but wait to be asked for. In main, before there are other threads. */
void stop_prepare(void);

/* Begins to ask for them. 0, or a negative errno; then nothing is open. From a task. */
int stop_open(filch_fd *stop);

/* Waits for the next one, whose number is answered; or -ECANCELED, or another negative errno. */
int stop_wait(filch_fd stop);

/* Has signal `number` do to the process what it does by default: does not return. */
void stop_at_once(int number);

#endif
