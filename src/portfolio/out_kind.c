/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of Moodle's Portfolio API, by the ending of a name or the MIME type. */
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "portfolio/out_int.h"

typedef struct row_t {
    const char *kind;
    const char *endings;  /* between spaces */
    const char *mimetype; /* what it begins with; NULL: none of its own */
} row_t;

/* The first that fits.  A sub-type of text/ stands before text. */
static const row_t rows[] = {
    {"plainhtml", " html htm xhtml ", "text/html"},
    {"plainhtml", " ", "application/xhtml"},
    {"image", " jpg jpeg jpe png gif svg webp bmp tif tiff heic avif ", "image/"},
    {"video", " mp4 m4v mov avi mpg mpeg webm ogv mkv wmv flv 3gp ", "video/"},
    {"pdf", " pdf ", "application/pdf"},
    {"document", " doc docx odt rtf pages ", "application/msword"},
    {"document", " ", "application/vnd.openxmlformats-officedocument.wordprocessingml"},
    {"document", " ", "application/vnd.oasis.opendocument.text"},
    {"spreadsheet", " xls xlsx ods csv ", "application/vnd.ms-excel"},
    {"spreadsheet", " ", "application/vnd.openxmlformats-officedocument.spreadsheetml"},
    {"spreadsheet", " ", "application/vnd.oasis.opendocument.spreadsheet"},
    {"presentation", " ppt pptx odp ", "application/vnd.ms-powerpoint"},
    {"presentation", " ", "application/vnd.openxmlformats-officedocument.presentationml"},
    {"presentation", " ", "application/vnd.oasis.opendocument.presentation"},
    {"mbkp", " mbz ", "application/vnd.moodle.backup"},
    {"text", " txt text md log ", "text/"},
};

/* "plainhtml richhtml ...": what --format takes besides these is a MIME type. */
static const char *const kinds[] = {
    "file",     "image",       "video",        "text",   "pdf",  "document", "plainhtml",
    "richhtml", "spreadsheet", "presentation", "leap2a", "rich", "mbkp",     NULL};

int mnet_out_kind_ok(const char *kind)
{
    for (int i = 0; kinds[i]; i++) {
        if (!strcmp(kind, kinds[i])) {
            return 1;
        }
    }
    return 0;
}

/* The ending of a name between spaces, in lower case; "" if it has none that is of use. */
static void ending_of(const char *name, char ending[12])
{
    const char *dot = strrchr(name, '.');
    apr_size_t n = 0;

    ending[0] = '\0';
    if (!dot || strpbrk(dot, "/ ") || strlen(dot + 1) > 8) {
        return;
    }
    ending[n++] = ' ';
    for (dot++; *dot; dot++) {
        ending[n++] = (char)(*dot >= 'A' && *dot <= 'Z' ? *dot - 'A' + 'a' : *dot);
    }
    ending[n++] = ' ';
    ending[n] = '\0';
}

const char *mnet_out_kind_of(const char *name)
{
    char ending[12];

    ending_of(name, ending);
    for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strncasecmp(name, rows[i].mimetype, strlen(rows[i].mimetype)) == 0 ||
            (ending[0] && strstr(rows[i].endings, ending))) {
            return rows[i].kind;
        }
    }
    return NULL;
}

int mnet_out_is_squeezed(const char *name)
{
    static const char endings[] =
        " jpg jpeg png gif webp heic avif mp4 m4v mov avi mpg mpeg webm ogv mkv wmv flv 3gp mp3 "
        "ogg oga m4a flac opus zip gz bz2 xz zst 7z rar docx odt xlsx ods pptx odp mbz imscc jar "
        "epub ";
    char ending[12];

    ending_of(name, ending);
    return ending[0] && strstr(endings, ending) != NULL;
}
