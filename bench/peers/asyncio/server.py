#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""filch-bench-asyncio: the echo server as a coroutine for each connection, with asyncio's streams. Started as the others are:
--serve what system workers hogs argument, with a listening socket as descriptor 3."""

import asyncio
import socket
import sys

LISTENER = 3


async def talk(reader, writer):
    try:
        while data := await reader.read(2048):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(talk, sock=socket.socket(fileno=LISTENER), backlog=4096)
    await server.serve_forever()


if len(sys.argv) != 7 or sys.argv[2] != "echo":
    sys.exit("filch-bench-asyncio: this program is started by filch-bench, and does echo")
asyncio.run(main())
