/* SPDX-License-Identifier: Apache-2.0 */
#include "portfolio/receive.h"

#include <apr_strings.h>

#include "portfolio/receive_int.h"

static const mnet_parameter_t intent_parameters[] = {
    {"username", "string", "a user of the caller's who has landed here"}, {NULL}};
static const mnet_parameter_t ready_parameters[] = {
    {"token", "string", "as send_content_intent gave it"},
    {"username", "string", "whose package it is"},
    {"format", "string", "file or leap2a"},
    {"importdata", "struct", "filesmanifest, zipfilesha1, zipfilesize, totalsize"},
    {"fetchnow", "boolean", "whether the user waits"},
    {NULL}};
static const mnet_parameter_t content_intent_parameters[] = {
    {"user", "struct", "the user's profile with their username, or the username alone"}, {NULL}};
static const mnet_parameter_t content_ready_parameters[] = {
    {"id", "string", "as content_intent gave it"},
    {"location", "string", "where the package is, below the caller's wwwroot"},
    {"wait", "boolean", "whether the user waits"},
    {"importdata", "struct", "what is known: format, filesmanifest, zipfilesha1, sizes"},
    {NULL}};

static const mnet_method_t methods[] = {
    {"portfolio/mahara/lib.php/send_content_intent",
     "pf",
     MNET_METHOD_CLAIMS,
     intent_parameters,
     1,
     {NULL, "struct", "sendtype (immediate, queue, none) and token"},
     "Announces that a user is about to send something.",
     mnet_receive_send_content_intent},
    {"portfolio/mahara/lib.php/send_content_ready",
     "pf",
     MNET_METHOD_CLAIMS,
     ready_parameters,
     4,
     {NULL, "struct", "status, type (complete, queued) and querystring"},
     "Says that what was announced can be fetched, by fetch_file.",
     mnet_receive_send_content_ready},
    {"portfolio/content_intent",
     "pf",
     MNET_METHOD_CLAIMS,
     content_intent_parameters,
     1,
     {NULL, "struct", "id and type (queandwait, queonly, no)"},
     "Announces that a user is about to send something, which will have a location.",
     mnet_receive_content_intent},
    {"portfolio/content_ready",
     "pf",
     MNET_METHOD_CLAIMS,
     content_ready_parameters,
     2,
     {NULL, "struct", "status, type (complete, queued) and querystring"},
     "Says where what was announced can be fetched, by a GET with the id.",
     mnet_receive_content_ready},
};

apr_status_t mnet_portfolio_receive_add(mnet_registry_t *registry, mnet_portfolio_t *portfolio,
                                        const char *wwwroot, apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;

    for (apr_size_t i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++) {
        mnet_method_t *method = apr_pmemdup(pool, &methods[i], sizeof(methods[i]));

        method->baton = portfolio;
        rv = mnet_registry_add(registry, wwwroot, method);
    }
    return rv;
}
