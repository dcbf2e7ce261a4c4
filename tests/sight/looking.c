/* SPDX-License-Identifier: MIT */
#include "tests/sight/looking.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

pid_t start_waiting(const char *program, const char *mode) {
    int ends[2];
    char text[16] = "";
    check_int(pipe(ends), 0);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(program, program, mode, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    for (size_t length = 0; strcmp(text, "ready\n") != 0;) {
        ssize_t got = read(ends[0], text + length, sizeof text - 1 - length);
        if (got < 0 && errno == EINTR) continue;
        check(got > 0);
        length += (size_t)got;
    }
    close(ends[0]);
    return child;
}

void stop_waiting(pid_t process) {
    check_int(kill(process, SIGKILL), 0);
    while (waitpid(process, NULL, 0) < 0) check_int(errno, EINTR);
}

static char *read_back(FILE *file) {
    size_t room = 1 << 16, length = 0;
    char *text = malloc(room);
    rewind(file);
    for (;;) {
        check(text != NULL);
        length += fread(text + length, 1, room - 1 - length, file);
        if (length < room - 1) break;
        room *= 2;
        text = realloc(text, room);
    }
    text[length] = '\0';
    fclose(file);
    return text;
}

struct said run(const char *const arguments[]) {
    FILE *out = tmpfile(), *err = tmpfile();
    check(out != NULL && err != NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) check_int(errno, EINTR);
    struct said said = {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1};
    said.out = read_back(out);
    said.err = read_back(err);
    return said;
}

void said_drop(struct said *said) {
    free(said->out);
    free(said->err);
}

struct said top_file(const char *option, const char *path) {
    const char *arguments[] = {TOP_PROGRAM, option != NULL ? option : path, option != NULL ? path : NULL, NULL};
    return run(arguments);
}

struct said top(const char *option, pid_t process) {
    char number[16];
    snprintf(number, sizeof number, "%d", process);
    return top_file(option, number);
}

void check_contains(const char *text, const char *part) {
    if (strstr(text, part) != NULL) return;
    fprintf(stderr, "there is no \"%s\" in:\n%s\n", part, text);
    check(!"the text contains the part");
}

size_t count_of(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part)) count++;
    return count;
}

const char *line_with(const char *text, const char *part) {
    static char line[512];
    const char *found = strstr(text, part);
    line[0] = '\0';
    if (found == NULL) return line;
    while (found > text && found[-1] != '\n') found--;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(found, "\n"), found);
    return line;
}

/* A child of ours is the one whom every setting but the strictest lets us trace. */
bool may_trace(void) {
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        for (;;) pause();
    }
    bool may = ptrace(PTRACE_SEIZE, child, NULL, NULL) == 0;
    int error = errno;
    kill(child, SIGKILL);
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR) continue;
    if (!may) fprintf(stderr, "SKIPPED: processes may not be traced here: %s\n", strerror(error));
    return may;
}

/* --------------------------------------------------------------------------------------------------------------- cores */

/* The kernel writes cores to files in the folder of the process only where its pattern is a plain name. */
static bool cores_are_plain(void) {
    char pattern[256] = "";
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
    if (file != NULL) {
        if (fgets(pattern, sizeof pattern, file) == NULL) pattern[0] = '\0';
        fclose(file);
    }
    struct rlimit limit;
    bool plain = pattern[0] != '\0' && pattern[0] != '|' && strchr(pattern, '/') == NULL;
    bool allowed = getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max > 1u << 30;
    if (!plain) fprintf(stderr, "SKIPPED: cores go elsewhere here: kernel.core_pattern is %s", pattern);
    if (plain && !allowed) fprintf(stderr, "SKIPPED: no cores are allowed here (ulimit -H -c)\n");
    return plain && allowed;
}

static void crash_in(const char *folder, const char *program) {
    struct rlimit limit;
    if (chdir(folder) != 0 || getrlimit(RLIMIT_CORE, &limit) != 0) _exit(127);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_CORE, &limit) != 0) _exit(127);
    signal(SIGABRT, SIG_DFL);
    execl(program, program, "crash", (char *)NULL);
    _exit(127);
}

char *make_core(const char *program) {
    char folder[] = "/tmp/filch-sight-XXXXXX", pattern[64];
    int status;
    if (!cores_are_plain()) return NULL;
    check(mkdtemp(folder) != NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) crash_in(folder, program);
    while (waitpid(child, &status, 0) < 0) check_int(errno, EINTR);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (glob(pattern, 0, NULL, &found) != 0) {
        fprintf(stderr, "SKIPPED: the kernel has written no core\n");
        rmdir(folder);
        return NULL;
    }
    char *path = strdup(found.gl_pathv[0]);
    globfree(&found);
    check(path != NULL);
    return path;
}

void drop_core(char *path) {
    unlink(path);
    rmdir(dirname(path));
    free(path);
}

/* ---------------------------------------------------------------------------------------------------------------- JSON */

static const char *skip_value(const char *at);

static const char *skip_string(const char *at) {
    if (*at != '"') return NULL;
    for (at++; *at != '"'; at++) {
        if ((unsigned char)*at < ' ') return NULL;
        if (*at == '\\' && *++at == '\0') return NULL;
    }
    return at + 1;
}

/* What is between the brackets of an array or an object. */
static const char *skip_list(const char *at, char end, bool keys) {
    if (*at == end) return at + 1;
    for (;;) {
        if (keys && ((at = skip_string(at)) == NULL || *at++ != ':')) return NULL;
        if ((at = skip_value(at)) == NULL) return NULL;
        if (*at == end) return at + 1;
        if (*at++ != ',') return NULL;
    }
}

static const char *skip_value(const char *at) {
    if (*at == '[') return skip_list(at + 1, ']', false);
    if (*at == '{') return skip_list(at + 1, '}', true);
    if (*at == '"') return skip_string(at);
    size_t length = strspn(at, "-0123456789.");
    if (length > 0) return at + length;
    if (strncmp(at, "true", 4) == 0) return at + 4;
    return strncmp(at, "false", 5) == 0 ? at + 5 : NULL;
}

bool is_json(const char *text) {
    const char *end = skip_value(text);
    return end != NULL && strcmp(end, "\n") == 0;
}
