/* SPDX-License-Identifier: Apache-2.0 */
#include "package/package_int.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* The bytes by which a file of this type is known. */
typedef struct {
    const char *type;
    apr_size_t at;
    apr_size_t len;
    const char *bytes;
} magic_t;

#define MAGIC(type, at, bytes)                                                                     \
    {                                                                                              \
        type, at, sizeof(bytes) - 1, bytes                                                         \
    }

/* The first that fits. */
static const magic_t magics[] = {
    MAGIC("image/png", 0, "\x89PNG\r\n\x1a\n"),
    MAGIC("image/jpeg", 0, "\xff\xd8\xff"),
    MAGIC("image/gif", 0, "GIF87a"),
    MAGIC("image/gif", 0, "GIF89a"),
    MAGIC("image/webp", 8, "WEBP"),
    MAGIC("image/tiff", 0, "II*\0"),
    MAGIC("image/tiff", 0, "MM\0*"),
    MAGIC("image/heic", 4, "ftyphei"),
    MAGIC("image/heic", 4, "ftypmif1"),
    MAGIC("image/avif", 4, "ftypavif"),
    MAGIC("audio/mp4", 4, "ftypM4A"),
    MAGIC("video/quicktime", 4, "ftypqt"),
    MAGIC("video/mp4", 4, "ftyp"),
    MAGIC("video/quicktime", 4, "moov"),
    MAGIC("video/webm", 0, "\x1a\x45\xdf\xa3"),
    MAGIC("video/x-msvideo", 8, "AVI "),
    MAGIC("video/mpeg", 0, "\0\0\x01\xba"),
    MAGIC("video/mpeg", 0, "\0\0\x01\xb3"),
    MAGIC("video/x-flv", 0, "FLV\x01"),
    MAGIC("video/x-ms-wmv", 0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    MAGIC("audio/mpeg", 0, "ID3"),
    MAGIC("audio/mpeg", 0, "\xff\xfb"),
    MAGIC("audio/wav", 8, "WAVE"),
    MAGIC("audio/flac", 0, "fLaC"),
    MAGIC("audio/midi", 0, "MThd"),
    MAGIC("audio/ogg", 0, "OggS"),
    MAGIC("application/pdf", 0, "%PDF-"),
    MAGIC("application/zip", 0, "PK\x03\x04"),
    MAGIC("application/gzip", 0, "\x1f\x8b\x08"),
    MAGIC("application/x-7z-compressed", 0, "7z\xbc\xaf\x27\x1c"),
    MAGIC("application/vnd.rar", 0, "Rar!\x1a\x07"),
    MAGIC("application/x-ole-storage", 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
};

/* Where the content says no more than "a zip", "a text" or nothing. */
static const struct {
    const char *ending;
    const char *content; /* the type it must have by its content; NULL: unknown */
    const char *type;
} endings[] = {
    {".html", "text/plain", "text/html"},
    {".htm", "text/plain", "text/html"},
    {".xhtml", "application/xml", "application/xhtml+xml"},
    {".svg", "application/xml", "image/svg+xml"},
    {".svg", "text/plain", "image/svg+xml"},
    {".css", "text/plain", "text/css"},
    {".csv", "text/plain", "text/csv"},
    {".js", "text/plain", "text/javascript"},
    {".md", "text/plain", "text/markdown"},
    {".txt", NULL, "text/plain"}, /* of an encoding we do not know */
    {".docx", "application/zip",
     "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {".xlsx", "application/zip",
     "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {".pptx", "application/zip",
     "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {".odt", "application/zip", "application/vnd.oasis.opendocument.text"},
    {".ods", "application/zip", "application/vnd.oasis.opendocument.spreadsheet"},
    {".odp", "application/zip", "application/vnd.oasis.opendocument.presentation"},
    {".epub", "application/zip", "application/epub+zip"},
    {".doc", "application/x-ole-storage", "application/msword"},
    {".xls", "application/x-ole-storage", "application/vnd.ms-excel"},
    {".ppt", "application/x-ole-storage", "application/vnd.ms-powerpoint"},
    {".mp3", NULL, "audio/mpeg"},
    {".mpg", NULL, "video/mpeg"},
    {".mpeg", NULL, "video/mpeg"},
    {".bmp", NULL, "image/bmp"},
    {".ico", NULL, "image/vnd.microsoft.icon"},
};

/* The controls that text has. */
static int is_layout(unsigned int code)
{
    return code == '\t' || code == '\n' || code == '\f' || code == '\r' || code == 0x1b;
}

/* Text in UTF-8, perhaps cut off at the end. */
static int is_text(const char *data, apr_size_t len)
{
    unsigned int code;

    while (len) {
        int n = mnet_utf8_next(data, len, &code);

        if (n < 0) {
            return 1;
        }
        if (!n || (code < 0x20 && !is_layout(code)) || code == 0x7f) {
            return 0;
        }
        data += n;
        len -= (apr_size_t)n;
    }
    return 1;
}

/* Without regard to case, at the start of a text of len bytes. */
static int starts(const char *data, apr_size_t len, const char *with)
{
    apr_size_t n = strlen(with);

    return len >= n && !strncasecmp(data, with, n);
}

static int holds(const char *data, apr_size_t len, const char *what)
{
    for (; len; data++, len--) {
        if (*data == '<' && starts(data, len, what)) {
            return 1;
        }
    }
    return 0;
}

static const char *type_of_markup(const char *data, apr_size_t len)
{
    while (len && (*data == ' ' || *data == '\t' || *data == '\r' || *data == '\n')) {
        data++;
        len--;
    }
    if (starts(data, len, "<!doctype html") || starts(data, len, "<html") ||
        starts(data, len, "<head") || starts(data, len, "<body")) {
        return "text/html";
    }
    if (starts(data, len, "<svg")) {
        return "image/svg+xml";
    }
    if (!starts(data, len, "<?xml")) {
        return NULL;
    }
    return holds(data, len, "<html")  ? "application/xhtml+xml"
           : holds(data, len, "<svg") ? "image/svg+xml"
                                      : "application/xml";
}

static const char *type_by_content(const char *data, apr_size_t len)
{
    const char *type;
    apr_size_t i;

    for (i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
        const magic_t *magic = &magics[i];

        if (len >= magic->at + magic->len && !memcmp(data + magic->at, magic->bytes, magic->len)) {
            if (magic->at == 8 && memcmp(data, "RIFF", 4)) {
                continue;
            }
            return !strcmp(magic->type, "audio/ogg") && memmem(data, len, "theora", 6)
                       ? "video/ogg"
                       : magic->type;
        }
    }
    if (len >= 2 && (!memcmp(data, "\xff\xfe", 2) || !memcmp(data, "\xfe\xff", 2))) {
        return "text/plain"; /* UTF-16 */
    }
    if (!len || !is_text(data, len)) {
        return NULL;
    }
    if (starts(data, len, "\xef\xbb\xbf")) {
        data += 3;
        len -= 3;
    }
    type = type_of_markup(data, len);
    return type ? type : "text/plain";
}

static const char *type_by_name(const char *name, const char *content)
{
    const char *dot = strrchr(name, '.');
    apr_size_t i;

    for (i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++) {
        int same = content && endings[i].content ? !strcmp(content, endings[i].content)
                                                 : content == endings[i].content;

        if (same && !strcasecmp(dot, endings[i].ending)) {
            return endings[i].type;
        }
    }
    return content;
}

void mnet_kind_of(mnet_package_file_t *file, const char *data, apr_size_t len)
{
    const char *type = type_by_name(file->path, type_by_content(data, len));

    file->type = type ? type : "application/octet-stream";
    if (!strncmp(file->type, "image/", 6)) {
        file->format = "image";
    } else if (!strncmp(file->type, "video/", 6)) {
        file->format = "video";
    } else if (!strcmp(file->type, "text/html") || !strcmp(file->type, "application/xhtml+xml")) {
        file->format = "html";
    } else if (!strncmp(file->type, "text/", 5)) {
        file->format = "text";
    } else {
        file->format = "file";
    }
}
