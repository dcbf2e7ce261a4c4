/* SPDX-License-Identifier: MIT */
/* Steps of files and directories, and of processes. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/life.h"

static const char text[] = "a line of the file\n";

static void use_file(const char *path) {
    filch_file file;
    struct stat about;
    char got[sizeof text];
    if (!well(filch_file_open(&file, path, O_RDWR | O_CREAT | O_TRUNC, 0600, FILCH_NEVER))) return;
    bool written = well(filch_file_pwrite(file, text, sizeof text, 0, FILCH_NEVER));
    ssize_t size = filch_file_pread(file, got, sizeof got, 0, FILCH_NEVER);
    if (well(size) && written && !life_is_disturbed()) must(size == sizeof text && memcmp(got, text, sizeof text) == 0);
    (void)well(filch_file_write(file, text, sizeof text, FILCH_NEVER));
    (void)well(filch_file_seek(file, 0, SEEK_SET));
    (void)well(filch_file_read(file, got, sizeof got, FILCH_NEVER));
    (void)well(filch_file_sync(file, FILCH_NEVER));
    (void)well(filch_file_sync_data(file, FILCH_NEVER));
    if (well(filch_file_stat(file, &about, FILCH_NEVER)) && !life_is_disturbed()) must(about.st_size == sizeof text);
    (void)well(filch_file_truncate(file, 3, FILCH_NEVER));
    (void)well(filch_file_close(file));
}

static void use_whole_file(const char *path) {
    void *data = NULL;
    size_t size = 0;
    if (!well(filch_file_write_all(path, text, sizeof text, 0600, FILCH_NEVER))) return;
    if (!well(filch_file_read_all(path, &data, &size, 1000, FILCH_NEVER))) return;
    must(size == sizeof text && memcmp(data, text, size) == 0);
    free(data);
}

static void list(const char *folder) {
    filch_dir *dir;
    filch_dir_entry entry;
    int more;
    if (!well(filch_dir_open(&dir, folder, FILCH_NEVER))) return;
    while ((more = filch_dir_next(dir, &entry, FILCH_NEVER)) > 0) must(entry.name[0] != '\0');
    (void)well(more);
    filch_dir_close(dir);
}

/* Where one before it failed, the next may find nothing there. */
static void well_or(int answer, int expected) {
    if (answer != expected || !life_is_disturbed()) (void)well(answer);
}

void step_files(void) {
    char path[200], other[200], folder[200];
    struct stat about;
    snprintf(path, sizeof path, "%s/file", life.folder);
    snprintf(other, sizeof other, "%s/other", life.folder);
    snprintf(folder, sizeof folder, "%s/folder", life.folder);
    use_file(path);
    use_whole_file(path);
    list(life.folder);
    well_or(filch_path_rename(path, other, FILCH_NEVER), -ENOENT);
    well_or(filch_path_stat(other, &about, FILCH_NEVER), -ENOENT);
    well_or(filch_path_unlink(other, FILCH_NEVER), -ENOENT);
    well_or(filch_path_mkdir(folder, 0700, FILCH_NEVER), -EEXIST);
    well_or(filch_path_rmdir(folder, FILCH_NEVER), -ENOENT);
}

/* ---------------------------------------------------------------------------------------------------------- processes */

static void hear_echo(void) {
    filch_process_talk talk = {0};
    filch_process_status status;
    const filch_process_options plain = {.environment = (const char *const[]){"LC_ALL=C", NULL}};
    int answer = filch_process_run((const char *const[]){"echo", "hello", NULL}, &plain, &talk, &status, FILCH_NEVER);
    if (well(answer)) must(status.exit_code == 0 && talk.output_size == 6 && memcmp(talk.output, "hello\n", 6) == 0);
    filch_process_talk_fini(&talk);
}

static void kill_sleeper(void) {
    filch_process *process;
    filch_process_status status;
    const filch_process_options quiet = {
        .input = FILCH_STDIO_NULL, .output = FILCH_STDIO_NULL, .error = FILCH_STDIO_NULL};
    if (!well(filch_process_start(&process, (const char *const[]){"sleep", "1000", NULL}, &quiet, FILCH_NEVER))) return;
    (void)well(filch_process_kill(process));
    if (well(filch_process_wait(process, &status, FILCH_NEVER))) must(status.signal == SIGKILL);
    filch_process_destroy(process);
}

void step_processes(void) {
    hear_echo();
    kill_sleeper();
}
