/* SPDX-License-Identifier: MIT */
/* What a request is answered: a status, and mostly a file or a part of one. */
#ifndef HTTPD_ANSWER_H
#define HTTPD_ANSWER_H

#include "kept.h"
#include "path.h"
#include "range.h"
#include "request.h"

struct answer {
    int status;
    struct file file;   /* of 200, 206, 304, 412 and 416; open where it is 200 or 206, and the method GET */
    struct range range; /* of the file: what is sent */
    const char *type;
};

/*
 * Finds the answer to `request`, whose file is one of `files`. `path` is room to work in, and holds
 * the directory's path where the status is 301: it is to be asked for with "/" at its end. `now`: seconds, as time(2).
 */
void answer_find(struct answer *answer, const struct request *request, struct path *path, struct kept_files *files,
                 bool shows_hidden, int64_t now);

/* Without a file. */
void answer_plainly(struct answer *answer, int status);

void answer_end(struct answer *answer);

#endif
