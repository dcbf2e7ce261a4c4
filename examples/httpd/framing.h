/* SPDX-License-Identifier: MIT */
/* What the fields of a request say about the message itself: where its body ends, and what becomes of the connection. */
#ifndef HTTPD_FRAMING_H
#define HTTPD_FRAMING_H

#include "request.h"

/*
 * Fills keep_alive, expects_continue, body and body_length of a request whose fields are all there.
 *
 * Returns  0
 *          -400   the length of the body is said in two ways, or wrongly; or there is not one host
 *          -417   it expects what is not known here
 *          -501   the body is coded in a way that is not known here
 */
int framing_parse(struct request *request);

#endif
