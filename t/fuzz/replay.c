/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A fuzz target without libFuzzer: every file of the folders given goes through it once, in the
 * order of names.  TAP: one test a file; a failure is an abort.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Returns 0 if the file cannot be read. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long len = -1;
    int ok = 0;

    if (file && !fseek(file, 0, SEEK_END) && (len = ftell(file)) >= 0) {
        rewind(file);
        /* Of just the size, so that a sanitizer sees a read past the end. */
        data = malloc(len ? (size_t)len : 1);
        ok = data && fread(data, 1, (size_t)len, file) == (size_t)len;
    }
    if (ok) {
        LLVMFuzzerTestOneInput(data, (size_t)len);
    }
    free(data);
    if (file) {
        fclose(file);
    }
    return ok;
}

int main(int argc, char **argv)
{
    int i, j, n, number = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (i = 1; i < argc; i++) {
        struct dirent **names;

        n = scandir(argv[i], &names, visible, alphasort);
        if (n < 0) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 2;
        }
        for (j = 0; j < n; j++) {
            char path[4096];
            int ok;

            snprintf(path, sizeof(path), "%s/%s", argv[i], names[j]->d_name);
            ok = replay_file(path);
            failed += !ok;
            printf("%sok %d - %s\n", ok ? "" : "not ", ++number, names[j]->d_name);
            free(names[j]);
        }
        free(names);
    }
    printf("1..%d\n", number);
    return failed || !number;
}
