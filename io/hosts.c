/* SPDX-License-Identifier: MIT */
#include "io/hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/address.h"

static const char BLANK[] = " \t\r\n";

struct search {
    const char *name;
    int family;
    filch_address *addresses;
    size_t count, max;
};

/* Whether what is left of a line names `wanted`. */
static bool names(const char *wanted, char **rest) {
    for (char *name = strtok_r(NULL, BLANK, rest); name != NULL; name = strtok_r(NULL, BLANK, rest)) {
        if (strcasecmp(name, wanted) == 0) return true;
    }
    return false;
}

static bool is_known(const struct search *search, const filch_address *address) {
    for (size_t i = 0; i < search->count; i++) {
        if (filch_address_equal(&search->addresses[i], address)) return true;
    }
    return false;
}

/* One line: an address and its names, and perhaps a remark. What is of no such form says nothing. */
static void read_line(struct search *search, char *line) {
    char *rest = NULL;
    filch_address address;
    line[strcspn(line, "#")] = '\0';
    char *host = strtok_r(line, BLANK, &rest);
    if (host == NULL || !filch__host_parse(&address, host, 0) || !names(search->name, &rest)) return;
    bool fits = search->family == AF_UNSPEC || search->family == filch__address_family(&address);
    if (fits && search->count < search->max && !is_known(search, &address)) {
        search->addresses[search->count++] = address;
    }
}

int filch__hosts_find(const char *path, const char *name, int family, filch_address *addresses, size_t max) {
    struct search search = {.name = name, .family = family, .addresses = addresses, .max = max};
    FILE *file = fopen(path, "re");
    if (file == NULL) return errno == ENOMEM ? -ENOMEM : 0;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) >= 0) read_line(&search, line);
    free(line);
    fclose(file);
    return (int)search.count;
}
