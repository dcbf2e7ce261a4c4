/* SPDX-License-Identifier: MIT */
/*
 * Addresses by name: getaddrinfo(3) on helper threads that do nothing else.
 *
 *     filch_address addresses[8];
 *     int count = filch_resolve("example.org", "https", NULL, addresses, 8, filch_after(FILCH_SEC(5)));
 *     if (count < 0) fprintf(stderr, "%s\n", filch_resolve_error(count));
 *
 * With a port in digits, a host in digits is answered where it stands, without a helper and without waiting; and a name is
 * looked for in /etc/hosts first, whatever nsswitch.conf says, so that what stands there is found also while all helpers
 * for look-ups (8 a runtime) wait for a name server that does not answer.
 */
#ifndef FILCH_RESOLVE_H
#define FILCH_RESOLVE_H

#include <filch/address.h>
#include <filch/base.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

/* What to look for. NULL in place of options, and zero in a field, is the default. */
typedef struct filch_resolve_options {
    int family;   /* AF_INET or AF_INET6; default: both */
    int kind;     /* SOCK_STREAM or SOCK_DGRAM, for services by name; default: SOCK_STREAM */
    bool passive; /* with `host` NULL: all interfaces, to listen at; default: this machine alone, to connect to */
    bool numeric; /* names of hosts are not looked up: -ENOENT */
} filch_resolve_options;

/*
 * Looks up the addresses of `host`, with the port of `service`, and writes up to `max` of them into `addresses`, none
 * twice, the best first (RFC 6724; those of /etc/hosts in its order). A host is a name, digits ("192.0.2.1",
 * "2001:db8::1", "fe80::1%eth0") or NULL; a service is a name, digits (0 to 65535) or NULL, for port 0; not both may be
 * NULL. Where there are more than `max`, the rest is left out. As getaddrinfo(3) has it, a host in fewer or other digits is
 * what inet_aton(3) reads there: "127.1" and "0x7f000001" are 127.0.0.1.
 *
 * A look-up that has begun goes on until the system answers. The caller is cut short all the same, by its deadline and by
 * cancellation: the look-up then ends by itself, and the runtime ends after it, which takes as long as the system does (5 s
 * and more, where a name server is silent). Only from a thread that is no worker it is made in place, and not cut short.
 *
 * Returns  how many were written, 1 or more; except then, nothing was written
 *          -ENOENT        no such host
 *          -EADDRNOTAVAIL the host has no address of that family
 *          -ESRCH         no such service
 *          -EAGAIN        no name server answered, or the system gave no helper thread: later it may do
 *          -EREMOTEIO     a name server refused to answer
 *          -ENAMETOOLONG  the host has more than 255 bytes, or the service more than 31
 *          -ETIMEDOUT     `deadline` passed first
 *          -ECANCELED     the scope was cancelled first
 *          -ENOMEM        no memory
 *          -EINVAL        both names or `addresses` are NULL, `max` is 0, or an option is out of range
 *          -errno         a system call of the look-up failed: -EMFILE
 * Call     from a task or from any thread
 * Waits    yes, except for digits and for names that are found in /etc/hosts; a task may continue on another worker
 * Keeps    nothing: a look-up that is left behind has copies
 */
FILCH_API FILCH_CHECK int filch_resolve(const char *host, const char *service, const filch_resolve_options *options,
                                        filch_address *addresses, size_t max, filch_deadline deadline);

/* What an error of filch_resolve means, as static text in English. From anywhere; does not wait. */
FILCH_API const char *filch_resolve_error(int error);

FILCH_END_DECLS

#endif
