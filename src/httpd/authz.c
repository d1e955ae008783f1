/* SPDX-License-Identifier: Apache-2.0 */
/* Require mnet-peer, mnet-attribute and mnet-username: of users who came from a peer.  As with
 * Require user, the arguments may have expressions in them. */

#include "httpd/auth.h"

#include <ap_provider.h>
#include <http_log.h>
#include <http_request.h>
#include <mod_auth.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/process.h"
#include "httpd/request.h"

APLOG_USE_MODULE(mnet);

/* --- the line --- */

static const char *parse(cmd_parms *cmd, const char *args, const void **parsed)
{
    const char *why = NULL;
    *parsed = ap_expr_parse_cmd(cmd, args, AP_EXPR_FLAG_STRING_RESULT, &why, NULL);
    return why ? apr_psprintf(cmd->pool, "Require %s: the expression is not understood: %s", args,
                              why)
               : NULL;
}

static const char *parse_peer(cmd_parms *cmd, const char *args, const void **parsed)
{
    const char *left = args, *wwwroot, *problem;
    if (!*args)
        return "Require mnet-peer: name one, as in Require mnet-peer https://moodle.example.org";
    while (!strchr(args, '%') && *(wwwroot = ap_getword_conf(cmd->temp_pool, &left))) {
        problem = mnet_wwwroot_problem(wwwroot, cmd->pool);
        if (problem)
            return apr_pstrcat(cmd->pool, "Require mnet-peer: ", problem, NULL);
    }
    return parse(cmd, args, parsed);
}

static const char *parse_attribute(cmd_parms *cmd, const char *args, const void **parsed)
{
    const char *left = args;
    if (!*ap_getword_conf(cmd->temp_pool, &left) || !*ap_getword_conf(cmd->temp_pool, &left))
        return "Require mnet-attribute: write a name and values, as in Require mnet-attribute "
               "country GB IE";
    return parse(cmd, args, parsed);
}

static const char *parse_username(cmd_parms *cmd, const char *args, const void **parsed)
{
    if (!*args)
        return "Require mnet-username: name one, as in Require mnet-username alice";
    return parse(cmd, args, parsed);
}

/* --- the check --- */

/* The line for this request; NULL: it cannot be made. */
static const char *words_of(request_rec *r, const void *parsed)
{
    const mnet_conf_t *conf = mnet_conf_get(r->server);
    const char *why = NULL;
    const char *words = ap_expr_str_exec(r, parsed, &why);
    if (!why)
        return words;
    mnet_log_request(conf->global->process->log, r);
    mnet_log(conf->host->engine->log, MNET_LOG_ERR, 0, "MNET0888",
             "an expression of a Require cannot be evaluated, so that it refuses: %s",
             mnet_for_log(why, strlen(why), 300, r->pool));
    mnet_log_request(conf->global->process->log, NULL);
    return NULL;
}

/* The session that made r->user, or NULL and the answer for that. */
static const mnet_session_t *entered(request_rec *r, authz_status *answer)
{
    const mnet_here_t *here = mnet_here_if(r);
    *answer = r->user ? AUTHZ_DENIED : AUTHZ_DENIED_NO_USER;
    return here && here->entered ? here->session : NULL;
}

static authz_status one_of(request_rec *r, const char *words, const char *value)
{
    const char *word;
    while (words && value && *(word = ap_getword_conf(r->pool, &words)))
        if (!strcmp(word, value))
            return AUTHZ_GRANTED;
    return AUTHZ_DENIED;
}

static authz_status check_peer(request_rec *r, const char *args, const void *parsed)
{
    authz_status answer;
    const mnet_session_t *session = entered(r, &answer);
    return session ? one_of(r, words_of(r, parsed), session->peer) : answer;
}

static authz_status check_username(request_rec *r, const char *args, const void *parsed)
{
    authz_status answer;
    const mnet_session_t *session = entered(r, &answer);
    return session ? one_of(r, words_of(r, parsed), session->username) : answer;
}

static authz_status check_attribute(request_rec *r, const char *args, const void *parsed)
{
    authz_status answer;
    const mnet_session_t *session = entered(r, &answer);
    const char *words, *name;
    if (!session)
        return answer;
    words = words_of(r, parsed);
    if (!words)
        return AUTHZ_DENIED;
    name = ap_getword_conf(r->pool, &words);
    return one_of(r, words, mnet_attribute_find(session->attributes, name));
}

void mnet_authz_register(apr_pool_t *pool)
{
    static const authz_provider peer = {check_peer, parse_peer};
    static const authz_provider attribute = {check_attribute, parse_attribute};
    static const authz_provider username = {check_username, parse_username};
    static const struct {
        const char *name;
        const authz_provider *provider;
    } all[] = {{"mnet-peer", &peer}, {"mnet-attribute", &attribute}, {"mnet-username", &username}};

    for (apr_size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, all[i].name, AUTHZ_PROVIDER_VERSION,
                                  all[i].provider, AP_AUTH_INTERNAL_PER_CONF);
}
