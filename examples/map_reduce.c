/* SPDX-License-Identifier: MIT */
/*
 * How many words of which length there are in files. Map: a file is read, on a helper thread, so that a slow disk holds
 * up no worker, and its words are counted. Reduce: two counts are added up. All workers take part.
 */
#include <ctype.h>
#include <errno.h>
#include <filch/filch.h>
#include <glob.h>
#include <stdio.h>

enum { LONGEST = 12 };

struct tally {
    long words[LONGEST + 1]; /* by length; longer ones count as the longest */
};

struct file {
    const char *path;
    struct tally *tally;
};

static int count_words(void *arg) { /* on a helper thread, where it may block */
    struct file *file = arg;
    FILE *stream = fopen(file->path, "r");
    if (stream == NULL) return -errno;
    for (int character = 0, length = 0; character != EOF;) {
        character = getc(stream);
        if (isalpha(character)) {
            length++;
        } else if (length > 0) {
            file->tally->words[length < LONGEST ? length : LONGEST]++;
            length = 0;
        }
    }
    int error = ferror(stream) ? -EIO : 0;
    fclose(stream);
    return error;
}

static void clear(void *tally, void *arg) {
    (void)arg;
    *(struct tally *)tally = (struct tally){0};
}

static int map(int64_t first, int64_t last, void *tally, void *arg) {
    char **paths = arg;
    int result = 0, error = 0;
    for (int64_t i = first; i < last && error == 0 && result == 0; i++) {
        error = filch_blocking(count_words, &(struct file){paths[i], tally}, &result, FILCH_NEVER);
    }
    return error != 0 ? error : result; /* a file that cannot be read is an error of all */
}

static void reduce(void *tally, const void *right, void *arg) {
    struct tally *sum = tally;
    const struct tally *more = right;
    (void)arg;
    for (int length = 1; length <= LONGEST; length++) sum->words[length] += more->words[length];
}

static int count(void *arg) {
    static const filch_reduction reduction = {sizeof(struct tally), clear, map, reduce};
    glob_t *found = arg;
    struct tally sum;
    int error = filch_parallel_reduce(0, (int64_t)found->gl_pathc, 1, &reduction, &sum, found->gl_pathv);
    if (error != 0) return error;
    printf("%zu files\n", found->gl_pathc);
    for (int length = 1; length <= LONGEST; length++) printf("%2d letters: %ld words\n", length, sum.words[length]);
    return 0;
}

int main(int count_of_arguments, char **arguments) {
    glob_t found;
    if (count_of_arguments != 2 || glob(arguments[1], 0, NULL, &found) != 0) return 2; /* a pattern */
    int error = filch_run(count, &found, NULL);
    globfree(&found);
    return error == 0 ? 0 : 1;
}
