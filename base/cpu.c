/* SPDX-License-Identifier: MIT */
/*
 * Processors: the affinity mask, and the CPU quota of the control groups that the process is in.
 *
 * /proc/self/cgroup names the process's group in each hierarchy, and /proc/self/mountinfo where a hierarchy (or, in a
 * container, a part of it) is mounted. A group's limit holds for all below it: the tightest on the way up counts.
 */
#include "base/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX (1 << 20) /* where the growing of the mask ends */

/* ------------------------------------------------------------------------------------------------------- quota */

/* Reads the start of `root``folder``name` as text. */
static bool read_text(const char *root, const char *folder, const char *name, char *text, size_t size) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s%s", root, folder, name) >= (int)sizeof path) return false;
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return length > 0;
}

/* Rounded up; 0, for no limit, where the two make no sense. */
static unsigned processors(long long quota_us, long long period_us) {
    if (quota_us <= 0 || period_us <= 0) return 0;
    long long count = quota_us / period_us + (quota_us % period_us != 0);
    return count > CPUS_MAX ? 0 : (unsigned)count;
}

static unsigned quota_v2(const char *root, const char *folder) {
    char text[64];
    long long quota_us, period_us;
    if (!read_text(root, folder, "/cpu.max", text, sizeof text)) return 0;
    return sscanf(text, "%lld %lld", &quota_us, &period_us) == 2 ? processors(quota_us, period_us) : 0;
}

static unsigned quota_v1(const char *root, const char *folder) {
    char quota[64], period[64];
    long long quota_us, period_us;
    if (!read_text(root, folder, "/cpu.cfs_quota_us", quota, sizeof quota)) return 0;
    if (!read_text(root, folder, "/cpu.cfs_period_us", period, sizeof period)) return 0;
    if (sscanf(quota, "%lld", &quota_us) != 1 || sscanf(period, "%lld", &period_us) != 1) return 0;
    return processors(quota_us, period_us);
}

static unsigned tighter(unsigned a, unsigned b) {
    if (a == 0) return b;
    return b == 0 || a < b ? a : b;
}

/* ---------------------------------------------------------------------------------------------------- hierarchies */

/* Whether `list`, separated by commas, has `word`. */
static bool lists(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
    }
    return false;
}

/* Spaces and the like stand in mountinfo as a backslash and three octal digits. */
static void decode(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* A mount of a hierarchy: which of its groups is seen at which folder. */
struct mount {
    bool v2;
    char *group, *folder;
};

/* Reads a line of mountinfo, which is cut up. False: not of a hierarchy that may limit CPU time. */
static bool mount_parse(char *line, struct mount *mount) {
    char *fields[5], *save = NULL, *tail = strstr(line, " - ");
    if (tail == NULL) return false;
    *tail = '\0';
    fields[0] = strtok_r(line, " ", &save);
    for (int i = 1; i < 5; i++) fields[i] = fields[i - 1] == NULL ? NULL : strtok_r(NULL, " ", &save);
    char *type = strtok_r(tail + 3, " \n", &save);
    char *source = type == NULL ? NULL : strtok_r(NULL, " \n", &save);
    char *options = source == NULL ? NULL : strtok_r(NULL, " \n", &save);
    if (fields[4] == NULL || type == NULL) return false;
    mount->v2 = strcmp(type, "cgroup2") == 0;
    mount->group = fields[3];
    mount->folder = fields[4];
    decode(mount->group);
    decode(mount->folder);
    return mount->v2 || (strcmp(type, "cgroup") == 0 && options != NULL && lists(options, "cpu"));
}

/* The process's group in the hierarchy, as in /proc/self/cgroup: "0::/group" or "4:cpu,cpuacct:/group". */
static bool group_find(const char *root, bool v2, char *group, size_t size) {
    char path[PATH_MAX], *line = NULL;
    size_t room = 0;
    bool found = false;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    while (!found && getline(&line, &room, file) > 0) {
        char *controllers = strchr(line, ':'), *name = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (name == NULL) continue;
        line[strcspn(line, "\n")] = '\0';
        *name++ = '\0';
        controllers++;
        found = v2 ? *controllers == '\0' : lists(controllers, "cpu");
        found = found && *name == '/' && snprintf(group, size, "%s", name) < (int)size;
    }
    free(line);
    fclose(file);
    return found;
}

/* The part of `group` below the mount's own group; where it is not below, the mount is all that can be seen. */
static const char *group_below(const char *group, const char *mounted) {
    size_t length = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);
    if (strncmp(group, mounted, length) != 0 || (group[length] != '/' && group[length] != '\0')) return "";
    return strstr(group, "/..") != NULL ? "" : group + length;
}

static unsigned quota_of(const char *root, const struct mount *mount) {
    char group[PATH_MAX], folder[PATH_MAX];
    if (!group_find(root, mount->v2, group, sizeof group)) return 0;
    const char *below = group_below(group, mount->group);
    if (snprintf(folder, sizeof folder, "%s%s", mount->folder, below) >= (int)sizeof folder) return 0;
    size_t top = strlen(mount->folder);
    unsigned quota = 0;
    for (;;) {
        quota = tighter(quota, mount->v2 ? quota_v2(root, folder) : quota_v1(root, folder));
        char *last = strrchr(folder, '/');
        if (strlen(folder) <= top || last == NULL) return quota;
        *last = '\0';
    }
}

unsigned filch__cpu_quota(const char *root) {
    char path[PATH_MAX], *line = NULL;
    size_t room = 0;
    unsigned quota = 0;
    if (snprintf(path, sizeof path, "%s/proc/self/mountinfo", root) >= (int)sizeof path) return 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    while (getline(&line, &room, file) > 0) {
        struct mount mount;
        if (mount_parse(line, &mount)) quota = tighter(quota, quota_of(root, &mount));
    }
    free(line);
    fclose(file);
    return quota;
}

/* ---------------------------------------------------------------------------------------------------- affinity */

/* How many processors the mask allows. The kernel refuses a set smaller than its own: it grows until it fits. */
static unsigned affinity(void) {
    for (int cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (set == NULL) break;
        size_t size = CPU_ALLOC_SIZE(cpus);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0) return (unsigned)count;
    }
    return 1;
}

unsigned filch__cpu_available(void) {
    return tighter(affinity(), filch__cpu_quota(""));
}
