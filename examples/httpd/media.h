/* SPDX-License-Identifier: MIT */
/* What kind of content a file has, by the ending of its name. */
#ifndef HTTPD_MEDIA_H
#define HTTPD_MEDIA_H

/* The value of the field Content-Type; "application/octet-stream" where nothing is known. Static text. */
const char *media_type(const char *file_name);

#endif
