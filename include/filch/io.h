/* SPDX-License-Identifier: MIT */
/* All of filch's input and output. It brings in the system's headers of sockets, with names like send and connect. */
#ifndef FILCH_IO_H
#define FILCH_IO_H

#include <filch/address.h>
#include <filch/fd.h>
#include <filch/file.h>
#include <filch/process.h>
#include <filch/signal.h>
#include <filch/transport.h>

#endif
