/* SPDX-License-Identifier: Apache-2.0 */
/* <MnetPeer "URL"> ... </MnetPeer> and the directives that are valid only inside it. */

#include "httpd/config.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_uri.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "trust/certificate.h"

#define CERTIFICATE_MAX (64 * 1024) /* bytes of a file that MnetPeerCertificate names */

static const char *quote(const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "'", mnet_for_log(text, strlen(text), 200, pool), "'", NULL);
}

static int is_peer_directive(const char *name)
{
#define PEER_NAME(directive) directive,
    static const char *const names[] = {MNET_PEER_DIRECTIVES(PEER_NAME)};
    for (apr_size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!ap_cstr_casecmp(name, names[i]))
            return 1;
    return 0;
}

/* What ap_walk_config would let by: directives that have no business in a peer's section. */
static const char *foreign_directive(cmd_parms *cmd)
{
    for (ap_directive_t *each = cmd->directive->first_child; each; each = each->next) {
        if (is_peer_directive(each->directive))
            continue;
        cmd->err_directive = each;
        return apr_psprintf(cmd->pool,
                            "%s%s does not belong inside <MnetPeer>; move it before or after the "
                            "section",
                            each->directive, each->directive[0] == '<' ? ">" : "");
    }
    return NULL;
}

/* The URL between "<MnetPeer" and ">". */
static const char *section_name(cmd_parms *cmd, const char *args, const char **wwwroot)
{
    const char *end = strrchr(args, '>');
    const char *rest, *problem;
    if (!end)
        return "<MnetPeer is not closed; write <MnetPeer \"https://moodle.example.org\">";
    rest = apr_pstrmemdup(cmd->temp_pool, args, (apr_size_t)(end - args));
    *wwwroot = ap_getword_conf(cmd->pool, &rest);
    while (*rest == ' ' || *rest == '\t')
        rest++;
    if (!**wwwroot)
        return "<MnetPeer> names no peer; write its wwwroot, as in <MnetPeer "
               "\"https://moodle.example.org\">";
    if (*rest)
        return apr_psprintf(cmd->pool, "<MnetPeer> takes one URL; %s is too much",
                            quote(rest, cmd->pool));
    problem = mnet_wwwroot_problem(*wwwroot, cmd->pool);
    return problem ? apr_pstrcat(cmd->pool, "<MnetPeer>: ", problem, NULL) : NULL;
}

const char *mnet_peer_section(cmd_parms *cmd, void *dir, const char *args)
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    const char *wwwroot, *problem = section_name(cmd, args, &wwwroot);
    mnet_peer_section_t *section;

    if (problem || (problem = foreign_directive(cmd)))
        return problem;
    section = apr_hash_get(conf->peers, wwwroot, APR_HASH_KEY_STRING);
    if (section)
        return apr_psprintf(
            cmd->pool,
            "<MnetPeer \"%s\"> was there before, on line %d of %s; put both into one section",
            wwwroot, section->where.line, section->where.file);
    section = apr_pcalloc(cmd->pool, sizeof(*section));
    section->facts = mnet_peer_facts_create(wwwroot, cmd->pool);
    section->where = mnet_where(cmd);
    section->order = (int)apr_hash_count(conf->peers) + (cmd->server->is_virtual ? 1 << 20 : 0);
    apr_hash_set(conf->peers, section->facts->wwwroot, APR_HASH_KEY_STRING, section);

    conf->section = section;
    problem = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    conf->section = NULL;
    return problem;
}

/* The facts of the section that this directive stands in, or *problem. */
static mnet_peer_facts_t *facts_of(cmd_parms *cmd, const char **problem)
{
    mnet_peer_section_t *section = mnet_conf_get(cmd->server)->section;
    const ap_directive_t *parent = cmd->directive ? cmd->directive->parent : NULL;
    if (section && parent && !ap_cstr_casecmp(parent->directive, "<MnetPeer")) {
        *problem = NULL;
        return section->facts;
    }
    *problem =
        apr_psprintf(cmd->pool,
                     "%s is valid only inside <MnetPeer \"URL\"> ... </MnetPeer>; move it into the "
                     "section of its peer",
                     cmd->cmd->name);
    return NULL;
}

const char *mnet_peer_application(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem;
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    if (!facts)
        return problem;
    if (!mnet_name_ok(arg))
        return apr_psprintf(
            cmd->pool,
            "MnetPeerApplication: %s is no name of an application; write moodle, mahara, "
            "or a name given by MnetDefineApplication",
            quote(arg, cmd->pool));
    facts->application = arg;
    mnet_conf_get(cmd->server)->section->application_where = mnet_where(cmd);
    return NULL;
}

/* The content of a small text file below ServerRoot, or NULL and *problem. */
static const char *read_file(cmd_parms *cmd, const char *name, const char **path,
                             const char **problem)
{
    apr_file_t *file = NULL;
    apr_size_t len = CERTIFICATE_MAX;
    char *text = apr_palloc(cmd->temp_pool, CERTIFICATE_MAX + 1), reason[120];
    apr_finfo_t info;
    apr_status_t rv;

    *path = ap_server_root_relative(cmd->pool, name);
    if (!*path) {
        *problem = apr_psprintf(cmd->pool, "%s: %s is no path; write the name of a file",
                                cmd->cmd->name, quote(name, cmd->pool));
        return NULL;
    }
    /* Asked first: to open a FIFO would wait for a writer. */
    rv = apr_stat(&info, *path, APR_FINFO_TYPE, cmd->temp_pool);
    if (!rv && info.filetype != APR_REG)
        rv = APR_FROM_OS_ERROR(EINVAL);
    if (!rv)
        rv = apr_file_open(&file, *path, APR_FOPEN_READ, APR_OS_DEFAULT, cmd->temp_pool);
    if (!rv)
        rv = apr_file_read_full(file, text, CERTIFICATE_MAX + 1, &len);
    if (APR_STATUS_IS_EOF(rv))
        rv = APR_SUCCESS;
    if (file)
        apr_file_close(file);
    if (rv) {
        *problem =
            apr_psprintf(cmd->pool, "%s: %s cannot be read (%s); write the name of a file that can",
                         cmd->cmd->name, *path, apr_strerror(rv, reason, sizeof(reason)));
        return NULL;
    }
    if (len > CERTIFICATE_MAX || memchr(text, '\0', len)) {
        *problem = apr_psprintf(cmd->pool,
                                "%s: %s is no text of at most 64k; write the name of a PEM file",
                                cmd->cmd->name, *path);
        return NULL;
    }
    return apr_pstrmemdup(cmd->pool, text, len);
}

const char *mnet_peer_certificate(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem;
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    mnet_peer_section_t *section = mnet_conf_get(cmd->server)->section;
    if (!facts)
        return problem;
    facts->certificate = read_file(cmd, arg, &section->certificate_file, &problem);
    section->certificate_where = mnet_where(cmd);
    return problem;
}

/* apr_uri_parse keeps 16 bits of a port, whatever was written. */
static int port_ok(const char *text)
{
    apr_size_t len = text ? strlen(text) : 0;
    int port = len && len <= 5 && strspn(text, "0123456789") == len ? (int)apr_atoi64(text) : 0;
    return !text || (port >= 1 && port <= 65535);
}

const char *mnet_peer_endpoint(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem;
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    apr_uri_t uri;
    if (!facts)
        return problem;
    if (apr_uri_parse(cmd->temp_pool, arg, &uri) || !uri.scheme || !uri.hostname ||
        (strcmp(uri.scheme, "http") && strcmp(uri.scheme, "https")) || uri.user || uri.query ||
        uri.fragment || (uri.path && strcmp(uri.path, "/")) || !port_ok(uri.port_str))
        return apr_psprintf(
            cmd->pool,
            "MnetPeerEndpoint: %s is no place to connect to; write scheme, host and port "
            "alone, as in http://127.0.0.1:8081",
            quote(arg, cmd->pool));
    facts->endpoint = uri.path ? apr_pstrmemdup(cmd->pool, arg, strlen(arg) - 1) : arg;
    return NULL;
}

const char *mnet_peer_tls(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem;
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    apr_finfo_t info;
    if (!facts)
        return problem;
    facts->cafile = NULL;
    if (!ap_cstr_casecmp(arg, "verify")) {
        facts->tls = MNET_TLS_VERIFY;
    } else if (!ap_cstr_casecmp(arg, "insecure")) {
        facts->tls = MNET_TLS_INSECURE;
    } else {
        facts->tls = MNET_TLS_CAFILE;
        facts->cafile = ap_server_root_relative(cmd->pool, arg);
        if (!facts->cafile || apr_stat(&info, facts->cafile, APR_FINFO_TYPE, cmd->temp_pool) ||
            info.filetype != APR_REG)
            return apr_psprintf(
                cmd->pool,
                "MnetPeerTLS: there is no file %s; write verify, insecure, or the name of "
                "a file of CA certificates",
                quote(facts->cafile ? facts->cafile : arg, cmd->pool));
        if (!mnet_certificate_authorities(facts->cafile))
            return apr_psprintf(cmd->pool,
                                "MnetPeerTLS: there is no certificate in %s; write the name of a "
                                "file of CA certificates, PEM",
                                quote(facts->cafile, cmd->pool));
    }
    return NULL;
}

const char *mnet_peer_charset(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem;
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    if (!facts)
        return problem;
    if (!ap_cstr_casecmp(arg, "auto"))
        facts->charset = MNET_PEER_CHARSET_AUTO;
    else if (!ap_cstr_casecmp(arg, "utf8"))
        facts->charset = MNET_PEER_CHARSET_UTF8;
    else if (!ap_cstr_casecmp(arg, "bytes"))
        facts->charset = MNET_PEER_CHARSET_BYTES;
    else
        return apr_psprintf(cmd->pool,
                            "MnetPeerCharset: %s is not understood; write auto, utf8 or bytes",
                            quote(arg, cmd->pool));
    return NULL;
}

/* An empty list is something said: "none". */
static apr_array_header_t *list_for(cmd_parms *cmd, const apr_array_header_t **list,
                                    apr_size_t size)
{
    if (!*list)
        *list = apr_array_make(cmd->pool, 4, (int)size);
    return (apr_array_header_t *)*list;
}

const char *mnet_peer_publish(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem;
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    apr_array_header_t *list;
    if (!facts)
        return problem;
    if (facts->publish && !facts->publish->nelts && strcmp(arg, "none"))
        return "MnetPublish none contradicts the services after it; leave one out";
    list = list_for(cmd, &facts->publish, sizeof(const char *));
    if (!strcmp(arg, "none"))
        return list->nelts ? "MnetPublish none contradicts the services before it; leave one out"
                           : NULL;
    if (!mnet_name_ok(arg))
        return apr_psprintf(
            cmd->pool,
            "MnetPublish: %s is no name of a service; write names such as sso_idp sso_sp pf",
            quote(arg, cmd->pool));
    APR_ARRAY_PUSH(list, const char *) = arg;
    return NULL;
}

static const char *read_patterns(cmd_parms *cmd, const char *arg,
                                 const apr_array_header_t **patterns)
{
    apr_array_header_t *list = apr_array_make(cmd->pool, 2, sizeof(const char *));
    char *state = NULL, *text = apr_pstrdup(cmd->pool, arg);
    for (char *each = apr_strtok(text, ",", &state); each; each = apr_strtok(NULL, ",", &state)) {
        if (strlen(each) > 255 || strpbrk(each, " \t\"<>&"))
            return apr_psprintf(cmd->pool,
                                "MnetSubscribe: %s is no pattern of methods; write as in "
                                "grades=mod/grades/rpclib.php/*",
                                quote(each, cmd->pool));
        APR_ARRAY_PUSH(list, const char *) = each;
    }
    *patterns = list;
    return list->nelts ? NULL
                       : "MnetSubscribe: there is no pattern after '='; write as in "
                         "grades=mod/grades/rpclib.php/*";
}

const char *mnet_peer_subscribe(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem, *equals = strchr(arg, '=');
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    mnet_subscription_t subscription = {NULL, NULL};
    apr_array_header_t *list;
    if (!facts)
        return problem;
    if (facts->subscribe && !facts->subscribe->nelts && strcmp(arg, "none"))
        return "MnetSubscribe none contradicts the services after it; leave one out";
    list = list_for(cmd, &facts->subscribe, sizeof(mnet_subscription_t));
    if (!strcmp(arg, "none"))
        return list->nelts ? "MnetSubscribe none contradicts the services before it; leave one out"
                           : NULL;
    subscription.service =
        equals ? apr_pstrmemdup(cmd->pool, arg, (apr_size_t)(equals - arg)) : arg;
    if (!mnet_name_ok(subscription.service))
        return apr_psprintf(
            cmd->pool,
            "MnetSubscribe: %s is no name of a service; write names such as sso_idp "
            "sso_sp pf, or NAME=PATTERN[,PATTERN]",
            quote(arg, cmd->pool));
    if (equals && (problem = read_patterns(cmd, equals + 1, &subscription.patterns)))
        return problem;
    APR_ARRAY_PUSH(list, mnet_subscription_t) = subscription;
    return NULL;
}

const char *mnet_peer_access(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    const char *problem;
    mnet_peer_facts_t *facts = facts_of(cmd, &problem);
    mnet_access_t access;
    if (!facts)
        return problem;
    if (argc < 2 || (ap_cstr_casecmp(argv[0], "allow") && ap_cstr_casecmp(argv[0], "deny")))
        return "MnetUserAccess: write allow or deny, then * or user names, as in MnetUserAccess "
               "deny admin guest";
    access.allow = !ap_cstr_casecmp(argv[0], "allow");
    for (int i = 1; i < argc; i++) {
        if (!*argv[i] || !mnet_is_utf8(argv[i], strlen(argv[i])))
            return "MnetUserAccess: a user name is empty or not UTF-8; write * or user names";
        access.user = argv[i];
        APR_ARRAY_PUSH(list_for(cmd, &facts->access, sizeof(access)), mnet_access_t) = access;
    }
    return NULL;
}
