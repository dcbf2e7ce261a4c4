/* SPDX-License-Identifier: MIT */
/* Signals that stop the program: SIGINT and SIGTERM, as something that a task can wait for. */
#ifndef HTTPD_STOP_H
#define HTTPD_STOP_H

#include <filch/filch.h>

/*
 * From here on the first of these signals does not end the process, and the second one does. 0, or a negative errno.
 * From a task.
 */
int stop_prepare(void);

/* Waits for the first one. 0, or -ECANCELED, or another negative errno. */
int stop_wait(void);

/* After stop_wait has returned. */
void stop_end(void);

#endif
