/* SPDX-License-Identifier: Apache-2.0 */
/* What an application is told of a session, by variables. */
#include "service/session.h"

#include <apr_strings.h>
#include <string.h>

#include "service/sso_int.h"
#include "trust/wwwroot.h"

#define PREFIX "MNET_"

/* Letters and digits as they are in the name of a variable; of anything else an underscore. */
static const char folded[] = "________________________________________________0123456789_______"
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZ____"
                             "__ABCDEFGHIJKLMNOPQRSTUVWXYZ_____";

static const char *const usual[] = {PREFIX "USERNAME",    PREFIX "PEER",       PREFIX "FIRSTNAME",
                                    PREFIX "LASTNAME",    PREFIX "EMAIL",      PREFIX "CITY",
                                    PREFIX "COUNTRY",     PREFIX "LANG",       PREFIX "TIMEZONE",
                                    PREFIX "URL",         PREFIX "IDNUMBER",   PREFIX "DESCRIPTION",
                                    PREFIX "INSTITUTION", PREFIX "DEPARTMENT", PREFIX "MIDDLENAME"};

const char *mnet_usual_variable(const char *name)
{
    for (apr_size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (!strcmp(name, usual[i])) {
            return usual[i];
        }
    }
    return NULL;
}

static const char *variable(const char *name, apr_pool_t *pool)
{
    apr_size_t len = strlen(name);
    char *made = apr_palloc(pool, sizeof(PREFIX) + len), *to = made + sizeof(PREFIX) - 1;

    memcpy(made, PREFIX, sizeof(PREFIX) - 1);
    for (apr_size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];

        to[i] = c < 0x80 ? folded[c] : '_';
    }
    to[len] = '\0';
    return made;
}

/* Of two that come to one variable the later one counts. */
static void tell(apr_array_header_t *variables, const char *name, const char *value,
                 apr_pool_t *pool)
{
    mnet_attribute_t *one;

    name = variable(name, pool);
    for (int i = 0; i < variables->nelts; i++) {
        one = &APR_ARRAY_IDX(variables, i, mnet_attribute_t);
        if (one->name[sizeof(PREFIX) - 1] == name[sizeof(PREFIX) - 1] && !strcmp(one->name, name)) {
            one->value = value;
            return;
        }
    }
    one = apr_array_push(variables);
    one->name = name;
    one->value = value;
}

const apr_array_header_t *mnet_session_variables(const mnet_session_t *session, apr_pool_t *pool)
{
    int count = session->attributes ? session->attributes->nelts : 0;
    apr_array_header_t *variables;

    if (session->variables) {
        return session->variables;
    }
    count = count < MNET_ATTRIBUTES_MAX ? count : MNET_ATTRIBUTES_MAX;
    variables = apr_array_make(pool, count + 2, sizeof(mnet_attribute_t));
    for (int i = 0; i < count; i++) {
        const mnet_attribute_t *each = &APR_ARRAY_IDX(session->attributes, i, mnet_attribute_t);

        if (each->name && each->value) {
            tell(variables, each->name, each->value, pool);
        }
    }
    /* Last: no attribute of a provider's stands for these two. */
    tell(variables, "username", session->username, pool);
    tell(variables, "peer", session->peer, pool);
    return variables;
}

const char *mnet_session_who(const mnet_session_t *session, apr_pool_t *pool)
{
    char *who;

    if (session->who) {
        return session->who;
    }
    who = apr_pstrcat(pool, session->username, "@", mnet_wwwroot_bare(session->peer), NULL);
    for (char *p = who; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            *p = '_';
        }
    }
    return who;
}
