/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <errno.h>

#include "condition.h"
#include "media.h"

static int status_of(int error) {
    switch (error) {
    case 0:
        return 200;
    case -ENOENT:
    case -ENOTDIR:
    case -ELOOP:
    case -EXDEV: /* a link that leads out of the root */
    case -ENAMETOOLONG:
        return 404;
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return 503;
    default:
        return 500;
    }
}

/* A directory is what its index is. One without is there, but is not listed. */
static int open_index(struct file *file, struct path *path, struct kept_files *files, int64_t now) {
    size_t length = path->length;
    if (!path_append(path, "index.html")) return 404;
    int error = kept_open(files, file, path->name, now);
    if (error == -EISDIR) return 403;
    if (error != -ENOENT) return status_of(error);
    path->name[path->length = length] = '\0';
    error = kept_open(files, file, path->name, now);
    return error == -EISDIR ? 403 : status_of(error != 0 ? error : -ENOTDIR);
}

static int open_file(struct file *file, struct path *path, struct kept_files *files, int64_t now) {
    if (path->is_directory) return open_index(file, path, files, now);
    int error = kept_open(files, file, path->name, now);
    return error == -EISDIR ? 301 : status_of(error);
}

/* Status 200 becomes another one where the request sets conditions, or asks for a part. */
static int look_at_conditions(struct answer *answer, const struct request *request, int64_t now) {
    struct version version = {text_of(answer->file.tag), answer->file.modified};
    int status = condition_status(request, &version, now);
    answer->range = (struct range){0, answer->file.size};
    struct text range;
    if (status != 200 || request->method != METHOD_GET || !request_field(request, FIELD_RANGE, &range)) return status;
    if (request_count(request, FIELD_RANGE) > 1 || !condition_allows_range(request, &version, now)) return 200;
    switch (range_parse(range, answer->file.size, &answer->range)) {
    case RANGE_PART:
        return 206;
    case RANGE_OUTSIDE:
        return 416;
    default:
        return 200;
    }
}

void answer_plainly(struct answer *answer, int status) {
    *answer = (struct answer){.status = status, .file.number = -1, .type = "text/plain; charset=utf-8"};
}

void answer_find(struct answer *answer, const struct request *request, struct path *path, struct kept_files *files,
                 bool shows_hidden, int64_t now) {
    answer_plainly(answer, request->method == METHOD_UNKNOWN ? 501 : 405);
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) return;
    int refusal = path_resolve(path, request->path, shows_hidden);
    answer->status = refusal != 0 ? -refusal : open_file(&answer->file, path, files, now);
    if (answer->status != 200) {
        answer_end(answer);
        return;
    }
    answer->status = look_at_conditions(answer, request, now);
    answer->type = media_type(path_file_name(path));
    if ((answer->status != 200 && answer->status != 206) || request->method == METHOD_HEAD) answer_end(answer);
}

void answer_end(struct answer *answer) {
    kept_close(&answer->file);
}
