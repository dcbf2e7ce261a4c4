/* SPDX-License-Identifier: MIT */
/* The CPU quota is read rightly from made-up systems of each kind, and nonsense is no limit. */
#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/test.h"

static char root[64];

static void begin(void) {
    strcpy(root, "/tmp/filch-cpu-XXXXXX");
    check(mkdtemp(root) != NULL);
}

/* Writes a file below the root, and the folders above it. */
static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(whole, 0777);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    check(file != NULL);
    fputs(text, file);
    fclose(file);
}

static unsigned end(void) {
    unsigned quota = filch__cpu_quota(root);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    check_int(system(command), 0);
    return quota;
}

#define MOUNT_V2 "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_V1 "33 25 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
#define MOUNT_CPUSET "34 25 0:30 / /sys/fs/cgroup/cpuset rw shared:11 - cgroup cgroup rw,cpuset\n"

static void put_v2(const char *own, const char *parent) {
    begin();
    put("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" MOUNT_V2);
    put("/proc/self/cgroup", "0::/outer/inner\n");
    put("/sys/fs/cgroup/outer/inner/cpu.max", own);
    put("/sys/fs/cgroup/outer/cpu.max", parent);
}

TEST(cpu, quota_is_rounded_up) {
    put_v2("150000 100000\n", "max 100000\n");
    check_int(end(), 2);
    put_v2("200000 100000\n", "max 100000\n");
    check_int(end(), 2);
    put_v2("1000 100000\n", "max 100000\n");
    check_int(end(), 1);
}

TEST(cpu, the_tightest_group_on_the_way_up_counts) {
    put_v2("800000 100000\n", "300000 100000\n");
    check_int(end(), 3);
    put_v2("200000 100000\n", "300000 100000\n");
    check_int(end(), 2);
    put_v2("max 100000\n", "500000 100000\n");
    put("/sys/fs/cgroup/cpu.max", "400000 100000\n");
    check_int(end(), 4);
}

TEST(cpu, max_is_no_limit) {
    put_v2("max 100000\n", "max 100000\n");
    check_int(end(), 0);
}

TEST(cpu, a_part_of_a_hierarchy_mounted_in_a_container_is_understood) {
    begin();
    put("/proc/self/mountinfo", "30 23 0:26 /pods/one /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/pods/one/task\n");
    put("/sys/fs/cgroup/cpu.max", "600000 100000\n");
    put("/sys/fs/cgroup/task/cpu.max", "500000 100000\n");
    check_int(end(), 5);
    begin();
    put("/proc/self/mountinfo", MOUNT_V2);
    put("/proc/self/cgroup", "0::/../../elsewhere\n");
    put("/sys/fs/cgroup/cpu.max", "600000 100000\n");
    check_int(end(), 6);
}

TEST(cpu, a_folder_with_a_space_is_found) {
    begin();
    put("/proc/self/mountinfo", "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/\n");
    put("/my groups/cpu.max", "700000 100000\n");
    check_int(end(), 7);
}

static void put_v1(const char *quota, const char *period) {
    begin();
    put("/proc/self/mountinfo", MOUNT_CPUSET MOUNT_V1);
    put("/proc/self/cgroup", "5:cpuset:/wrong\n4:cpu,cpuacct:/outer/inner\n1:name=systemd:/wrong\n");
    put("/sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_quota_us", quota);
    put("/sys/fs/cgroup/cpu,cpuacct/outer/inner/cpu.cfs_period_us", period);
}

TEST(cpu, version_1_is_read_by_its_cpu_controller) {
    put_v1("250000\n", "100000\n");
    check_int(end(), 3);
    put_v1("-1\n", "100000\n");
    check_int(end(), 0);
    put_v1("-1\n", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/outer/cpu.cfs_period_us", "50000\n");
    check_int(end(), 1);
}

TEST(cpu, both_versions_at_once_give_the_tighter) {
    put_v1("400000\n", "100000\n");
    put("/proc/self/mountinfo", MOUNT_V1 "31 23 0:27 / /unified rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "4:cpu,cpuacct:/outer/inner\n0::/here\n");
    put("/unified/here/cpu.max", "300000 100000\n");
    check_int(end(), 3);
}

TEST(cpu, nonsense_is_no_limit) {
    static const char *const nonsense[] = {"",
                                           "\n",
                                           "x y\n",
                                           "100000\n",
                                           "-5 100000\n",
                                           "5 0\n",
                                           "5 -100000\n",
                                           "max\n",
                                           "99999999999999999999999 1\n",
                                           "9000000000000000000 1\n"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        put_v2(nonsense[i], nonsense[i]);
        check_int(end(), 0);
        put_v1(nonsense[i], "0\n");
        check_int(end(), 0);
    }
}

TEST(cpu, missing_and_broken_files_are_no_limit) {
    begin();
    check_int(end(), 0);
    begin();
    put("/proc/self/mountinfo", "\n - \n1 2 3\n1 2 3 4 5 6 - \n - cgroup2 a b\n1 2 3 / /x - cgroup x\n" MOUNT_V2);
    check_int(end(), 0);
    begin();
    put("/proc/self/mountinfo", MOUNT_V2 MOUNT_V1);
    put("/proc/self/cgroup", "\n:\n::\n0::\n4:cpu\n4:cpu:relative\n");
    check_int(end(), 0);
    check_int(filch__cpu_quota("/nowhere/at/all"), 0);
}

TEST(cpu, available_follows_the_affinity_mask) {
    unsigned all = filch__cpu_available();
    check(all >= 1);
    cpu_set_t set, one;
    check_int(sched_getaffinity(0, sizeof set, &set), 0);
    int first = 0;
    while (!CPU_ISSET(first, &set)) first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    check_int(sched_setaffinity(0, sizeof one, &one), 0);
    check_int(filch__cpu_available(), 1);
}
