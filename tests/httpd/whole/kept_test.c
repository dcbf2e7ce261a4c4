/* SPDX-License-Identifier: MIT */
/* Proves that a file that is kept open is served as what its name leads to, as far as the option --keep-files promises. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

static const char *const for_long[] = {"--keep-files", "86400", NULL};
static const char *const not_at_all[] = {"--keep-files", "0", NULL};

static void check_answer(const struct served *served, const char *path, int status, const char *body) {
    struct reply reply = get(served, path, "");
    check_int(reply.status, status);
    if (body != NULL) check(strcmp(reply.body, body) == 0);
    forget(&reply);
}

static void move_file(const struct served *served, const char *from, const char *to) {
    char old_path[128], new_path[128];
    snprintf(old_path, sizeof(old_path), "%s/%s", served->folder, from);
    snprintf(new_path, sizeof(new_path), "%s/%s", served->folder, to);
    check_int(rename(old_path, new_path), 0);
}

static void remove_file(const struct served *served, const char *name) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", served->folder, name);
    check_int(unlink(path), 0);
}

TEST(kept, what_is_written_replaced_or_removed_is_seen_at_once) {
    struct served served = serve(for_long);
    for (int i = 0; i < 2; i++) check_answer(&served, "/hello.txt", 200, "hello, world\n");
    put_file(&served, "hello.txt", "written anew, and longer\n");
    check_answer(&served, "/hello.txt", 200, "written anew, and longer\n");
    put_file(&served, "other", "another\n");
    check_answer(&served, "/other", 200, "another\n");
    move_file(&served, "other", "hello.txt");
    for (int i = 0; i < 2; i++) check_answer(&served, "/hello.txt", 200, "another\n");
    remove_file(&served, "hello.txt");
    check_answer(&served, "/hello.txt", 404, NULL);
    stop_serving(&served);
}

/* So it is known that files are kept at all. */
TEST(kept, a_renamed_file_is_there_until_its_time_is_over) {
    struct served served = serve(for_long);
    check_answer(&served, "/hello.txt", 200, "hello, world\n");
    move_file(&served, "hello.txt", "moved");
    check_answer(&served, "/hello.txt", 200, "hello, world\n");
    check_answer(&served, "/moved", 200, "hello, world\n");
    remove_file(&served, "moved"); /* which stop_serving does not know of */
    stop_serving(&served);

    served = serve(not_at_all);
    check_answer(&served, "/hello.txt", 200, "hello, world\n");
    move_file(&served, "hello.txt", "moved");
    check_answer(&served, "/hello.txt", 404, NULL);
    remove_file(&served, "moved");
    stop_serving(&served);

    served = serve(NULL); /* a second, if nothing is said */
    check_answer(&served, "/hello.txt", 200, "hello, world\n");
    move_file(&served, "hello.txt", "moved");
    sleep(2);
    check_answer(&served, "/hello.txt", 404, NULL);
    remove_file(&served, "moved");
    stop_serving(&served);
}

/* ------------------------------------------------------------------------------------------------------ many of them */

enum { FILES = 400, KEPT_MOST = 128 };

/* How many descriptors of the server lead to files below its folder. Nobody else opens any while no request is under way. */
static int count_open(const struct served *served) {
    char path[300], target[300];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)served->process);
    DIR *numbers = opendir(path);
    check(numbers != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(numbers)) != NULL;) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%.200s", (int)served->process, entry->d_name);
        ssize_t length = readlink(path, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        count += strstr(target, "/file-") != NULL;
    }
    closedir(numbers);
    return count;
}

/* Who has sent an answer lets go of the file a moment after it is read here. */
static void await_open(const struct served *served, int most) {
    while (count_open(served) > most) usleep(1000);
}

TEST(kept, more_files_than_places_are_each_served_as_they_are) {
    struct served served = serve(for_long);
    char name[32], path[32], body[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "file-%d", i);
        put_file(&served, name, name);
    }
    for (int i = 0; i < 2 * FILES; i++) {
        snprintf(path, sizeof(path), "/file-%d", i * 7 % FILES);
        snprintf(body, sizeof(body), "file-%d", i * 7 % FILES);
        check_answer(&served, path, 200, body);
    }
    await_open(&served, KEPT_MOST);
    check(count_open(&served) > 0);
    for (int i = 0; i < FILES; i++) { /* which clean_up does not know of; and what is gone is let go of */
        snprintf(path, sizeof(path), "/file-%d", i);
        remove_file(&served, path + 1);
        check_answer(&served, path, 404, NULL);
    }
    await_open(&served, 0);
    stop_serving(&served);
}

TEST(kept, what_nobody_asks_for_is_let_go_of_by_who_looks_for_others) {
    struct served served = serve(NULL);
    put_file(&served, "file-0", "old");
    check_answer(&served, "/file-0", 200, "old");
    remove_file(&served, "file-0");
    check_int(count_open(&served), 1);
    sleep(2); /* longer than it is kept */
    for (int i = 0; i < KEPT_MOST; i++) check_answer(&served, "/missing", 404, NULL);
    await_open(&served, 0);
    stop_serving(&served);
}

/* ---------------------------------------------------------------------------------------------- replaced while served */

enum { VERSIONS = 200, READERS = 4, VERSION_SIZE = 20000 };

struct asking {
    const struct served *served;
    int mixed, failed;
};

/* Asks until the last version has come. */
static void *keep_asking(void *arg) {
    struct asking *asking = arg;
    for (char seen = 0; seen != '!';) {
        struct reply reply = get(asking->served, "/other", "");
        asking->failed += reply.status != 200 || reply.length != VERSION_SIZE;
        for (size_t i = 0; i < reply.length; i++) asking->mixed += reply.body[i] != reply.body[0];
        seen = reply.status == 200 ? reply.body[0] : '!';
        forget(&reply);
    }
    return NULL;
}

static void replace_with(const struct served *served, char letter) {
    static char content[VERSION_SIZE + 1];
    memset(content, letter, VERSION_SIZE);
    put_file(served, "next", content);
    move_file(served, "next", "other");
}

TEST(kept, each_answer_is_one_version_while_the_file_is_replaced) {
    struct served served = serve(for_long);
    struct asking asking[READERS];
    pthread_t threads[READERS];
    replace_with(&served, 'a');
    for (int i = 0; i < READERS; i++) {
        asking[i] = (struct asking){.served = &served};
        check_int(pthread_create(&threads[i], NULL, keep_asking, &asking[i]), 0);
    }
    for (int i = 0; i < VERSIONS; i++) replace_with(&served, (char)('a' + i % 26));
    replace_with(&served, '!');
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        check_int(asking[i].failed, 0);
        check_int(asking[i].mixed, 0);
    }
    remove_file(&served, "other");
    stop_serving(&served);
}
