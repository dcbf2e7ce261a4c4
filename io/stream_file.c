/* SPDX-License-Identifier: MIT */
/*
 * Files sent on streams: by sendfile(2), behind all that is buffered; or read into the buffer and sent like what is
 * written. The latter goes over every transport, and costs less where the file is so small that it leaves together with
 * what is buffered.
 */
#include "io/stream.h"
#include "io/system.h"

enum { SMALL_FILE = 16384 };

/* A piece of a file that is being sent. */
struct piece {
    int file;
    int64_t offset;
    size_t count, done;
};

/* Reads the next bytes of the piece into the buffer's room, `most` at most: how many; 0: the file's end; or why not. */
static ssize_t read_piece(filch_stream *stream, const struct piece *piece, size_t most) {
    return filch__system_pread(piece->file, filch__buffer_end(&stream->out), most,
                               piece->offset + (int64_t)piece->done);
}

/* Room in the buffer for some of `left` bytes, made by sending where there is none: how much, or why not. */
static ssize_t room_for(filch_stream *stream, size_t left, filch_deadline deadline) {
    struct filch__buffer *out = &stream->out;
    size_t high = load_relaxed(&stream->high_water);
    if (out->length < high) {
        size_t room = left < high - out->length ? left : high - out->length;
        if (filch__buffer_reserve(out, room)) return (ssize_t)room;
    }
    int error = filch__stream_send(stream, NULL, 0, deadline);
    if (error != 0) return error;
    size_t room = left < high ? left : high;
    if (filch__buffer_reserve(out, room)) return (ssize_t)room;
    return out->capacity > 0 ? (ssize_t)out->capacity : -ENOMEM; /* it is empty: less than wished, but some */
}

static int send_through_buffer(filch_stream *stream, struct piece *piece, filch_deadline deadline) {
    while (piece->done < piece->count) {
        ssize_t room = room_for(stream, piece->count - piece->done, deadline);
        if (room < 0) return (int)room;
        ssize_t got = read_piece(stream, piece, (size_t)room);
        if (got <= 0) return got == 0 ? -ENODATA : (int)got;
        stream->out.length += (size_t)got;
        filch__stream_note_unsent(stream);
        piece->done += (size_t)got;
    }
    return 0;
}

static int send_by_kernel(filch_stream *stream, filch_fd to, struct piece *piece, filch_deadline deadline) {
    int error = filch__stream_send(stream, NULL, 0, deadline);
    while (error == 0 && piece->done < piece->count) {
        int64_t offset = piece->offset + (int64_t)piece->done;
        ssize_t got = filch_fd_sendfile(to, piece->file, &offset, piece->count - piece->done, deadline);
        if (got > 0) {
            piece->done += (size_t)got;
        } else {
            error = got == 0 ? -ENODATA : (int)got;
        }
    }
    return error;
}

/* With the writing side. */
static int send_piece(filch_stream *stream, struct piece *piece, filch_deadline deadline) {
    if (stream->shut) return -EPIPE;
    const filch_transport transport = stream->transport;
    if (piece->count > SMALL_FILE && transport.ops->descriptor != NULL) {
        filch_fd to = transport.ops->descriptor(transport.self);
        int error = to.filch__record != NULL ? send_by_kernel(stream, to, piece, deadline) : -EINVAL;
        if (error != -EINVAL) return error; /* else these two do not go together, and read and write will */
    }
    return send_through_buffer(stream, piece, deadline);
}

int filch_stream_send_file(filch_stream *stream, int file, int64_t offset, size_t count, size_t *moved,
                           filch_deadline deadline) {
    if (moved != NULL) *moved = 0;
    if (offset < 0 || count > (size_t)(INT64_MAX - offset)) return -EINVAL;
    int error = filch__stream_begin_write(stream, deadline);
    if (error != 0) return error;
    struct piece piece = {.file = file, .offset = offset, .count = count};
    error = send_piece(stream, &piece, deadline);
    filch__stream_end_write(stream);
    if (moved != NULL) *moved = piece.done;
    return error;
}
