/* SPDX-License-Identifier: MIT */
/*
 * Gives the inputs that are kept to a fuzz target, one after the other, without libFuzzer: any compiler builds it, and any
 * test run runs it.
 *
 *     replay FOLDER_OR_FILE ...
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count;

static _Noreturn void give_up(const char *what) {
    perror(what);
    exit(2);
}

static void replay_file(const char *name) {
    FILE *file = fopen(name, "rb");
    if (file == NULL) give_up(name);
    char *whole = malloc(INPUT_MAX);
    if (whole == NULL) give_up(name);
    size_t size = fread(whole, 1, INPUT_MAX, file);
    fclose(file);
    /* In memory of just its size, so that a sanitizer sees a read beyond it. */
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL) give_up(name);
    memcpy(data, whole, size);
    free(whole);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    count++;
}

static void replay(const char *name) {
    struct stat status;
    if (stat(name, &status) != 0) give_up(name);
    if (!S_ISDIR(status.st_mode)) {
        replay_file(name);
        return;
    }
    DIR *folder = opendir(name);
    if (folder == NULL) give_up(name);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
        replay_file(path);
    }
    closedir(folder);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
