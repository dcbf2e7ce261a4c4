/* SPDX-License-Identifier: MIT */
/* All of filch's input and output. It brings in the system's headers of sockets, with names like send and connect. */
#ifndef FILCH_IO_H
#define FILCH_IO_H

#include <filch/address.h>
#include <filch/fd.h>
#include <filch/file.h>
#include <filch/metrics_serve.h>
#include <filch/pair.h>
#include <filch/process.h>
#include <filch/resolve.h>
#include <filch/serve.h>
#include <filch/signal.h>
#include <filch/socket.h>
#include <filch/stream.h>
#include <filch/tcp.h>
#include <filch/transport.h>
#include <filch/udp.h>
#include <filch/unix.h>

#endif
