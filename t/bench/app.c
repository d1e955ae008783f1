/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A local application that costs next to nothing, so that what a call through it costs is httpd's:
 * answers every POST with one string, as JSON-RPC where the path begins with /json, else as
 * XML-RPC, and keeps its connections.  It ends when its standard input does.
 *
 *   app PORT|SOCKET
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD(type, length)                                                                         \
    "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\nContent-Length: " length "\r\n\r\n"
static const char xml[] =
    HEAD("text/xml", "122") "<?xml version=\"1.0\"?><methodResponse><params><param><value><string>"
                            "done</string></value></param></params></methodResponse>";
static const char json[] =
    HEAD("application/json", "33") "{\"jsonrpc\":\"2.0\",\"result\":\"done\"}";

/* The length of the request that begins there, 0 if it is not whole yet. */
static size_t whole(const char *text, size_t have)
{
    const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\ncontent-length:");
    size_t need;

    if (!end) {
        return 0;
    }
    need = (size_t)(end + 4 - text) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    return have >= need ? need : 0;
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char text[65536];
    size_t have = 0, done;
    ssize_t n;

    while ((n = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
        have += (size_t)n;
        text[have] = '\0';
        while ((done = whole(text, have)) > 0) {
            const char *answer = strncmp(text, "POST /json", 10) ? xml : json;

            if (write(fd, answer, strlen(answer)) < 0) {
                break;
            }
            memmove(text, text + done, have - done + 1);
            have -= done;
        }
    }
    close(fd);
    return NULL;
}

static void *wait_for_end(void *unused)
{
    char c;

    while (read(0, &c, 1) > 0) {
    }
    exit(0);
}

static int listen_at(const char *where)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int is_path = *where == '/', one = 1;
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

    tcp.sin_port = htons((uint16_t)strtol(where, NULL, 10));
    strncpy(un.sun_path, where, sizeof(un.sun_path) - 1);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, is_path ? (struct sockaddr *)&un : (struct sockaddr *)&tcp,
             is_path ? sizeof(un) : sizeof(tcp)) ||
        listen(fd, 64)) {
        perror(where);
        exit(1);
    }
    if (is_path) {
        chmod(where, 0666);
    }
    return fd;
}

int main(int argc, char **argv)
{
    int listener = argc == 2 ? listen_at(argv[1]) : -1, fd;
    pthread_t thread;

    signal(SIGPIPE, SIG_IGN);
    if (listener < 0 || pthread_create(&thread, NULL, wait_for_end, NULL)) {
        fprintf(stderr, "usage: app PORT|SOCKET\n");
        return 2;
    }
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) {
            close(fd);
        } else {
            pthread_detach(thread);
        }
    }
    return 0;
}
