/* SPDX-License-Identifier: Apache-2.0 */
/* publickey.php: our certificate, for people and gateways (MNET protocol reference, 4.3). */

#include <http_protocol.h>
#include <apr_strings.h>
#include <string.h>

#include "httpd/process.h"
#include "httpd/routes.h"

int mnet_endpoint_publickey(request_rec *r, mnet_host_t *host, const mnet_route_t *route)
{
    const mnet_ring_t *ring;
    mnet_txn_t *txn;
    apr_status_t rv;

    if (r->method_number != M_GET) {
        apr_table_setn(r->headers_out, "Allow", "GET, HEAD");
        return mnet_answer_text(
            r, HTTP_METHOD_NOT_ALLOWED,
            "This is our certificate for MNET: it is there to be read, by GET.");
    }
    rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, r->pool);
    if (!rv) {
        rv = mnet_keyring_get(host->keyring, txn, &ring, r->pool);
        mnet_txn_abort(txn);
    }
    if (rv) {
        mnet_log(host->engine->log, MNET_LOG_ERR, rv, "MNET0680",
                 "our key for %s cannot be read from the state directory", host->site->wwwroot);
        return mnet_answer_text(r, HTTP_INTERNAL_SERVER_ERROR,
                                "Our certificate cannot be read; the error log says why.");
    }
    ap_set_content_type(r, "text/plain; charset=utf-8");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    ap_set_content_length(r, (apr_off_t)strlen(ring->pems[0]));
    ap_rputs(ring->pems[0], r);
    return OK;
}
