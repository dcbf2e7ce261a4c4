/* SPDX-License-Identifier: MIT */
/* The head of an answer: its status line and its fields. */
#ifndef HTTPD_HEAD_H
#define HTTPD_HEAD_H

#include <stdint.h>

#include "answer.h"

/* No field is of the client's making and longer than that; a Location is sent apart. */
enum { HEAD_SIZE = 1024 };

struct head {
    size_t length;
    char bytes[HEAD_SIZE];
};

/* "Not Found"; "" for a status that this server does not send. */
const char *head_reason(int status);

/* The body of an answer without a file, for people: "404 Not Found" and a line's end. Appends it to `head`. */
void head_put_message(struct head *head, int status);

/* The length of that. */
size_t head_message_length(int status);

/* How many bytes follow the head, or would if the method were not HEAD. */
uint64_t head_content_length(const struct answer *answer);

/*
 * Writes the head that says `answer`, without the empty line at its end, so that fields may follow. `date` is that of the
 * answer.
 */
void head_begin(struct head *head, const struct answer *answer, int64_t date);

void head_put(struct head *head, const char *text);

#endif
