/* SPDX-License-Identifier: MIT */
/* Advice on many ranges at once, guards by advice and by protection, and the probe that tells which to use. */
#include "alloc/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "alloc/heap.h"

/* Of <linux/mman.h> and <linux/pidfd.h>, newer than the headers that the library builds with. */
#define ADVICE_GUARD_INSTALL 102
#define ADVICE_GUARD_REMOVE 103
#define PIDFD_OF_SELF (-10000)

#define GUARD_MAX ((size_t)64 << 10)
#define BATCH_MAX 64 /* ranges a call: this runs on small stacks, too */

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t filch__guard_size(size_t stack_size) {
    size_t size = stack_size / 16, page = page_size();
    if (size > GUARD_MAX) size = GUARD_MAX;
    return size < page ? page : size;
}

/* ----------------------------------------------------------------------------------------------------- advice */

/* Whether the kernel took all of ranges [first, last) in one call. */
static bool advise_batch(const struct filch__ranges *ranges, size_t first, size_t last, int advice) {
    struct iovec vector[BATCH_MAX];
    for (size_t i = first; i < last; i++) {
        vector[i - first] = (struct iovec){ranges->base + i * ranges->stride, ranges->size};
    }
    long done = syscall(SYS_process_madvise, PIDFD_OF_SELF, vector, last - first, advice, 0);
    return done == (long)((last - first) * ranges->size);
}

static int advise_each(const struct filch__ranges *ranges, size_t first, size_t last, int advice) {
    for (size_t i = first; i < last; i++) {
        char *start = ranges->base + i * ranges->stride;
        int failed;
        do failed = madvise(start, ranges->size, advice);
        while (failed != 0 && errno == EINTR);
        if (failed != 0) return -errno;
    }
    return 0;
}

/* A batch that was cut short is done again range by range: no advice that is given here minds being given twice. */
int filch__advise(const struct filch__ranges *ranges, int advice, bool batch) {
    int saved = errno, answer = 0;
    for (size_t first = 0, last; first < ranges->count && answer == 0; first = last) {
        last = ranges->count - first > BATCH_MAX ? first + BATCH_MAX : ranges->count;
        if (batch && advise_batch(ranges, first, last, advice)) continue;
        answer = advise_each(ranges, first, last, advice);
    }
    errno = saved;
    return answer;
}

/* ----------------------------------------------------------------------------------------------------- guards */

static bool protect(const struct filch__ranges *ranges) {
    for (size_t i = 0; i < ranges->count; i++) {
        if (filch__alloc_fails()) return false;
        if (mprotect(ranges->base + i * ranges->stride, ranges->size, PROT_NONE) != 0) return false;
    }
    return true;
}

bool filch__guard_install(enum filch__guard *kind, const struct filch__ranges *ranges) {
    if (*kind != GUARD_MPROTECT) {
        if (filch__alloc_fails()) return false;
        int answer = filch__advise(ranges, ADVICE_GUARD_INSTALL, *kind == GUARD_BATCH);
        if (answer != -EINVAL) return answer == 0;
        *kind = GUARD_MPROTECT;
    }
    int saved = errno;
    bool done = protect(ranges);
    errno = saved;
    return done;
}

bool filch__guard_remove(enum filch__guard kind, void *base, size_t size) {
    int saved = errno;
    bool done = true;
    if (kind == GUARD_MPROTECT) {
        done = mprotect(base, size, PROT_READ | PROT_WRITE) == 0;
    } else {
        struct filch__ranges whole = {base, size, size, 1};
        done = filch__advise(&whole, ADVICE_GUARD_REMOVE, false) == 0;
    }
    errno = saved;
    return done;
}

/* ------------------------------------------------------------------------------------------------------ probe */

/* Whether the kernel faults on `page`. Its word is not enough: emulators take the advice and do nothing. */
static bool faults(const void *page) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    bool faulted = write(ends[1], page, 1) < 0 && errno == EFAULT;
    close(ends[0]);
    close(ends[1]);
    return faulted;
}

static enum filch__guard probe_pages(char *pages, size_t page) {
    struct filch__ranges both = {pages, page, page, 2};
    if (advise_batch(&both, 0, 2, ADVICE_GUARD_INSTALL) && faults(pages) && faults(pages + page)) return GUARD_BATCH;
    if (advise_each(&both, 0, 2, ADVICE_GUARD_INSTALL) == 0 && faults(pages)) return GUARD_SINGLE;
    return GUARD_MPROTECT;
}

/* What cannot be tried out (no memory, no descriptor left) is taken not to be there: mprotect(2) always is. */
enum filch__guard filch__guard_probe(void) {
    int saved = errno;
    size_t page = page_size();
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    enum filch__guard kind = GUARD_MPROTECT;
    if (pages != MAP_FAILED) {
        kind = probe_pages(pages, page);
        munmap(pages, 2 * page);
    }
    errno = saved;
    return kind;
}
