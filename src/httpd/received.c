/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/received.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <apr_portable.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* APR's macros for rings of buckets compute an offset as an old C compiler would. */
#if defined(__clang__) && __clang_major__ >= 13
#pragma clang diagnostic ignored "-Wnull-pointer-subtraction"
#endif

#define WAIT     apr_time_from_sec(5) /* for the other side to close */
#define WAIT_TLS apr_time_from_sec(2) /* the same where we cannot close ours before */

void mnet_received_prepare(request_rec *r)
{
    r->connection->keepalive = AP_CONN_CLOSE;
}

/* Has the other side's kernel all that was sent? */
static int is_acknowledged(int fd)
{
    int unsent = 0;
    return ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent == 0;
}

/* What comes is of no interest (a TLS alert, a next request): only how it ends. */
static int wait_for_end(int fd, apr_interval_time_t patience)
{
    apr_time_t until = apr_time_now() + patience;
    char rest[512];
    for (;;) {
        struct pollfd look = {fd, POLLIN, 0};
        apr_interval_time_t left = until - apr_time_now();
        ssize_t n;
        if (left <= 0)
            return is_acknowledged(fd);
        if (poll(&look, 1, (int)(left / 1000) + 1) <= 0)
            continue;
        n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
        if (n == 0)
            return 1;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return 0;
    }
}

static apr_status_t flush(request_rec *r)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(r->connection->bucket_alloc));
    return ap_pass_brigade(r->connection->output_filters, bb);
}

int mnet_received(request_rec *r)
{
    conn_rec *c = r->connection;
    int plain = !strcmp(ap_http_scheme(r), "http");
    apr_socket_t *socket;
    apr_os_sock_t fd;

    /* HTTP/2: one stream of many, whose fate the connection does not tell.  mod_http2 has taken it
     * to its end, and a client that has it all may be gone again by now. */
    if (c->master)
        return 1;
    /* A client may wait for our end of it.  Not over TLS: whoever closes with our goodbye unread
     * resets the connection as well. */
    if (flush(r) || c->aborted)
        return 0;
    socket = ap_get_conn_socket(c);
    if (!socket || apr_os_sock_get(&fd, socket))
        return 1;
    if (plain)
        (void)shutdown(fd, SHUT_WR);
    return wait_for_end(fd, plain ? WAIT : WAIT_TLS);
}
