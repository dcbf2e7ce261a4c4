/* SPDX-License-Identifier: MIT */
/*
 * nginx as a server of the bench: one process, in the foreground, with what its manual advises for files that are asked for
 * often, and without logs. It opens the listening socket itself, on a port that is kept for it.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../http/http.h"
#include "server.h"

static char folder[64];

static void remove_folder(void) {
    char path[PATH_MAX];
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(path) != 0) rmdir(path);
    }
    if (entries) closedir(entries);
    rmdir(folder);
}

const char *scratch_folder(void) {
    if (folder[0]) return folder;
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/filch-bench-XXXXXX", parent && strlen(parent) < 32 ? parent : "/tmp");
    if (!mkdtemp(folder)) fail("no folder for files: %s", strerror(errno));
    atexit(remove_folder);
    return folder;
}

static const char *find_nginx(void) {
    static const char *const places[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx",
                                         "/usr/local/nginx/sbin/nginx"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0) return places[i];
    return NULL;
}

static const char configuration[] =
    "daemon off;\n"
    "master_process off;\n"
    "pid %1$s/pid;\n"
    "error_log stderr error;\n"
    "events { worker_connections 4096; multi_accept on; }\n"
    "http {\n"
    "    access_log off;\n"
    "    client_body_temp_path %1$s/body; proxy_temp_path %1$s/proxy; fastcgi_temp_path %1$s/fastcgi;\n"
    "    uwsgi_temp_path %1$s/uwsgi; scgi_temp_path %1$s/scgi;\n"
    "    default_type text/plain;\n"
    "    keepalive_requests 1000000000;\n"
    "    keepalive_timeout 1h;\n"
    "    sendfile on;\n"
    "    tcp_nopush on;\n"
    "    open_file_cache max=100;\n"
    "    server {\n"
    "        listen 127.0.0.1:%2$u reuseport backlog=4096;\n"
    "        root %1$s;\n"
    "        location = / { return 200 \"Hello, world\\n\"; }\n"
    "    }\n"
    "}\n";

char **nginx_command(const char *where, const struct load_address *address) {
    static char path[PATH_MAX];
    static char *command[] = {NULL, "-p", NULL, "-e", "stderr", "-c", path, NULL};
    command[0] = (char *)find_nginx();
    command[2] = (char *)where;
    if (!command[0]) return NULL;
    snprintf(path, sizeof path, "%s/nginx.conf", where);
    FILE *file = fopen(path, "w");
    if (!file) fail("cannot write %s", path);
    fprintf(file, configuration, where, (unsigned)ntohs(address->socket.v4.sin_port));
    if (fclose(file) != 0) fail("cannot write %s", path);
    return command;
}
