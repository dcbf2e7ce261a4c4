/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <filch/filch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "walk.h"

#define REPEAT_DEFAULT 3
#define REPEAT_MAX 999

static const char *const default_roots[] = {"/usr/include", "/usr/share"};

static const char help[] =
    "Usage: treesum [--workers N] [--repeat N] [PATH]\n"
    "\n"
    "Reads and hashes all files below PATH (or the file PATH) three ways: one after the other, with a pool of\n"
    "threads, and with filch tasks; tells how fast each was and whether they agree. Without PATH: /usr/include,\n"
    "or /usr/share where that is not there.\n"
    "\n"
    "  --workers N   threads of the pool, and workers of filch; default: what the process may use\n"
    "  --repeat N    go through the tree N times each way, and show the median; default: 3\n"
    "  --help        show this\n"
    "\n"
    "Exit status: 0 where all digests agree, 1 where they do not, 2 where nothing could be done.\n";

static _Noreturn void refuse(const char *format, const char *text, const char *reason) {
    fprintf(stderr, "treesum: ");
    fprintf(stderr, format, text, reason);
    fprintf(stderr, "\nTry 'treesum --help'.\n");
    exit(2);
}

static unsigned number(const char *option, const char *text, unsigned most) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > (long)most) {
        fprintf(stderr, "treesum: %s wants a number from 1 to %u, not \"%s\"\n", option, most, text);
        exit(2);
    }
    return (unsigned)value;
}

/* The real path of `path`, or NULL with errno set. What is neither a file nor a directory that can be listed is not. */
static char *resolve(const char *path) {
    char *root = realpath(path, NULL);
    struct stat status;
    if (root == NULL || stat(root, &status) != 0) return NULL;
    struct listing listing;
    int error = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? listing_read(&listing, root) : -ENOTDIR;
    if (error == 0) {
        listing_free(&listing);
        return root;
    }
    free(root);
    errno = -error;
    return NULL;
}

static char *default_root(void) {
    for (size_t i = 0; i < sizeof(default_roots) / sizeof(default_roots[0]); i++) {
        char *root = resolve(default_roots[i]);
        if (root != NULL) return root;
    }
    refuse("%s: %s; name a path", default_roots[0], strerror(errno));
}

void options_read(struct options *options, int argc, char **argv) {
    static const struct option table[] = {
        {"workers", required_argument, NULL, 'w'},
        {"repeat", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options = (struct options){.repeat = REPEAT_DEFAULT};
    for (int option; (option = getopt_long(argc, argv, "w:r:h", table, NULL)) != -1;) {
        switch (option) {
        case 'w':
            options->workers = number("--workers", optarg, FILCH_WORKERS_MAX);
            break;
        case 'r':
            options->repeat = number("--repeat", optarg, REPEAT_MAX);
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            fputs("Try 'treesum --help'.\n", stderr);
            exit(2);
        }
    }
    if (argc - optind > 1) refuse("one path only, not also \"%s\"%s", argv[optind + 1], "");
    options->root = optind < argc ? resolve(argv[optind]) : default_root();
    if (options->root == NULL) refuse("%s: %s", argv[optind], strerror(errno));
}
