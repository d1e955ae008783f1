/* SPDX-License-Identifier: Apache-2.0 */
/* MnetLedger On|Off [prefix=PATH] [service=NAME].  Kept as three texts: On or Off, the two others.
 */

#include "httpd/ledger_config.h"

#include <apr_strings.h>
#include <string.h>

#include "base/text.h"

#define PREFIX  "mod/schooltool/rpclib.php"
#define SERVICE "schooltool"

static const char *quote(const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "'", mnet_for_log(text, strlen(text), 200, pool), "'", NULL);
}

/* With a method's name behind it, it must be one that a peer can call. */
static const char *prefix_problem(const char *prefix, apr_pool_t *pool)
{
    if (*prefix && prefix[strlen(prefix) - 1] != '/' && !strstr(prefix, "//") &&
        mnet_method_name_ok(apr_pstrcat(pool, prefix, "/list_user_enrolments", NULL)) &&
        strncmp(prefix, "system/", 7) != 0 && strcmp(prefix, "system") != 0)
        return NULL;
    return apr_psprintf(pool,
                        "MnetLedger: prefix=%s begins no name of a method; write letters, digits, "
                        "'_', '-', '.' and '/', without a slash at an end, as in prefix=" PREFIX,
                        quote(prefix, pool));
}

static const char *read_option(cmd_parms *cmd, const char *arg, const char **prefix,
                               const char **service)
{
    if (!strncmp(arg, "prefix=", 7)) {
        *prefix = arg + 7;
        return prefix_problem(*prefix, cmd->pool);
    }
    if (!strncmp(arg, "service=", 8)) {
        *service = arg + 8;
        if (mnet_name_ok(*service) && strcmp(*service, "system") != 0)
            return NULL;
        return apr_psprintf(cmd->pool,
                            "MnetLedger: service=%s is no name of a service; write letters, "
                            "digits, '_', '-' and '.', as in service=" SERVICE,
                            quote(*service, cmd->pool));
    }
    return apr_psprintf(cmd->pool,
                        "MnetLedger: %s is not understood; after On there may be prefix=PATH and "
                        "service=NAME, as in MnetLedger On prefix=" PREFIX " service=" SERVICE,
                        quote(arg, cmd->pool));
}

const char *mnet_set_ledger(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    const char *prefix = PREFIX, *service = SERVICE, *problem = NULL;
    int on;

    if (argc < 1 || (ap_cstr_casecmp(argv[0], "On") && ap_cstr_casecmp(argv[0], "Off")))
        return "MnetLedger: On or Off goes first, as in MnetLedger On";
    on = !ap_cstr_casecmp(argv[0], "On");
    if (!on && argc > 1)
        return "MnetLedger: nothing goes behind Off; write MnetLedger Off";
    for (int i = 1; !problem && i < argc; i++)
        problem = read_option(cmd, argv[i], &prefix, &service);
    if (problem)
        return problem;
    conf->ledger = apr_array_make(cmd->pool, 3, sizeof(const char *));
    APR_ARRAY_PUSH(conf->ledger, const char *) = on ? "On" : "Off";
    APR_ARRAY_PUSH(conf->ledger, const char *) = prefix;
    APR_ARRAY_PUSH(conf->ledger, const char *) = service;
    conf->where[MNET_FIELD_ledger] = mnet_where(cmd);
    return NULL;
}

const mnet_ledger_options_t *mnet_conf_ledger(const mnet_conf_t *conf, apr_pool_t *pool)
{
    mnet_ledger_options_t *options;
    if (!conf->ledger || !strcmp(APR_ARRAY_IDX(conf->ledger, 0, const char *), "Off"))
        return NULL;
    options = apr_palloc(pool, sizeof(*options));
    options->prefix = APR_ARRAY_IDX(conf->ledger, 1, const char *);
    options->service = APR_ARRAY_IDX(conf->ledger, 2, const char *);
    return options;
}
