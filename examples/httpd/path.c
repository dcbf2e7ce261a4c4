/* SPDX-License-Identifier: MIT */
#include "path.h"

#include "syntax.h"

/* One character, encoded or not, off the front of `*rest`. 0, or a status. */
static int decode(struct text *rest, char *c) {
    if (rest->at[0] != '%') {
        *c = rest->at[0];
        *rest = text_from(*rest, 1);
        return *c == '\0' ? -400 : 0;
    }
    int high = rest->length < 3 ? -1 : hex_value(rest->at[1]), low = high < 0 ? -1 : hex_value(rest->at[2]);
    if (low < 0) return -400;
    *c = (char)(high * 16 + low);
    *rest = text_from(*rest, 3);
    if (*c == '\0') return -400;
    return *c == '/' ? -404 : 0;
}

/* Takes the last name off again. */
static int go_up(struct path *path) {
    if (path->length == 0) return -400;
    while (path->length > 0 && path->name[path->length - 1] != '/') path->length--;
    if (path->length > 0) path->length--;
    return 0;
}

/* Appends the decoded `segment`, and a "/" before it unless it is the first. What it means is seen by what it decodes to. */
static int append_segment(struct path *path, struct text segment, bool shows_hidden) {
    size_t start = path->length, at = start;
    if (start > 0) path->name[at++] = '/';
    const char *name = &path->name[at];
    while (segment.length > 0) {
        char c;
        int error = decode(&segment, &c);
        if (error != 0) return error;
        if (at + 1 >= PATH_SIZE) return -414;
        path->name[at++] = c;
    }
    struct text decoded = {name, (size_t)(&path->name[at] - name)};
    path->is_directory = decoded.length == 0 || text_is(decoded, ".") || text_is(decoded, "..");
    if (text_is(decoded, "..")) return go_up(path);
    if (path->is_directory) return 0;
    path->length = at;
    return decoded.at[0] == '.' && !shows_hidden ? -404 : 0;
}

int path_resolve(struct path *path, struct text url, bool shows_hidden) {
    path->length = 0;
    if (url.length == 0 || url.at[0] != '/') return -400;
    struct text rest = url;
    while (rest.length > 0) {
        rest = text_from(rest, 1);
        size_t length = text_find(rest, '/');
        if (path->length + 2 >= PATH_SIZE) return -414;
        int error = append_segment(path, (struct text){rest.at, length}, shows_hidden);
        if (error != 0) return error;
        rest = text_from(rest, length);
    }
    path->name[path->length] = '\0';
    return 0;
}

bool path_append(struct path *path, const char *name) {
    size_t length = strlen(name), slash = path->length > 0 ? 1 : 0;
    if (path->length + slash + length >= PATH_SIZE) return false;
    if (slash > 0) path->name[path->length] = '/';
    memcpy(&path->name[path->length + slash], name, length + 1);
    path->length += slash + length;
    path->is_directory = false;
    return true;
}

/* What may stand in the path of a URL as it is, "/" among it. */
static bool stands_for_itself(char c) {
    return c == '/' || c == ':' || c == '@' || (is_host(c) && c != '%');
}

size_t path_encode(const struct path *path, bool is_directory, char *url, size_t size) {
    static const char digits[] = "0123456789ABCDEF";
    size_t at = 0;
    if (size < 3) return 0;
    url[at++] = '/';
    for (size_t i = 0; i < path->length; i++) {
        unsigned char byte = (unsigned char)path->name[i];
        if (at + 5 > size) return 0;
        if (stands_for_itself(path->name[i])) {
            url[at++] = path->name[i];
            continue;
        }
        url[at++] = '%';
        url[at++] = digits[byte >> 4];
        url[at++] = digits[byte & 15];
    }
    if (is_directory && path->length > 0) url[at++] = '/';
    url[at] = '\0';
    return at;
}

const char *path_file_name(const struct path *path) {
    const char *slash = strrchr(path->name, '/');
    return slash == NULL ? path->name : slash + 1;
}
