/* SPDX-License-Identifier: Apache-2.0 */
/* The command table.  A value that is refused is answered with a sentence that names the mistake
 * and the mend; httpd puts the file and the line before it. */

#include "httpd/config.h"

#include <apr_lib.h>
#include <apr_network_io.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "httpd/backend_config.h"
#include "httpd/ledger_config.h"
#include "httpd/portfolio_config.h"
#include "httpd/sso_config.h"
#include "state/store.h"

/* How one directive of a single value is read: its place in mnet_conf_t and its bounds. */
typedef struct setting_t {
    mnet_field_e field;
    apr_size_t offset;
    apr_int64_t min, max;
    int whole_server;    /* refused inside <VirtualHost> */
    const char *example; /* a value to write */
} setting_t;

#define AT(member) MNET_FIELD_##member, offsetof(mnet_conf_t, member)
#define DAY        (APR_INT64_C(86400) * APR_USEC_PER_SEC)
#define KILO       APR_INT64_C(1024)
#define MEGA       (KILO * KILO)
#define GIGA       (MEGA * KILO)

static const setting_t engine = {AT(engine), 0, 1, 0, "On"};
static const setting_t site_name = {AT(site_name), 1, 255, 0, "\"Example University\""};
static const setting_t state_dir = {AT(state_dir), 1, 1024, 1, MNET_STATE_DIR};
static const setting_t state_size = {AT(state_size), MNET_STORE_SIZE_MIN, 1024 * GIGA, 1, "1g"};
static const setting_t shared_memory = {AT(shared_memory), 256 * KILO, GIGA, 1, "4m"};
static const setting_t key_lifetime = {AT(key_lifetime), 20 * APR_USEC_PER_SEC, 3650 * DAY, 0,
                                       "365d"};
static const setting_t key_history = {AT(key_history), 0, 100, 0, "6"};
static const setting_t clock_skew = {AT(clock_skew), 0, 3650 * DAY, 0, "15m"};
static const setting_t replay_window = {AT(replay_window), APR_USEC_PER_SEC, 3650 * DAY, 0, "30d"};
static const setting_t max_body = {AT(max_body), KILO, 64 * GIGA, 0, "10m"};
static const setting_t register_all = {AT(register_all), 0, 1, 0, "Off"};
static const setting_t timeout = {AT(timeout), 100 * 1000, 600 * APR_USEC_PER_SEC, 0, "30s"};
static const setting_t session_lifetime = {AT(session_lifetime), APR_USEC_PER_SEC, 3650 * DAY, 0,
                                           "8h"};
static const setting_t session_idle = {AT(session_idle), APR_USEC_PER_SEC, 3650 * DAY, 0, "1h"};
static const setting_t token_lifetime = {AT(token_lifetime), APR_USEC_PER_SEC,
                                         600 * APR_USEC_PER_SEC, 0, "30s"};
static const setting_t outgoing_limit = {AT(outgoing_limit), 1, 100000, 1, "16"};

static const setting_t portfolio_dir = {AT(portfolio_dir), 1, 1024, 0,
                                        "/var/lib/apache2/portfolio"};
static const setting_t portfolio_max_size = {AT(portfolio_max_size), KILO, 1024 * GIGA, 0, "1g"};
static const setting_t portfolio_expire = {AT(portfolio_expire), APR_USEC_PER_SEC, 3650 * DAY, 0,
                                           "7d"};
static const setting_t portfolio_interval = {AT(portfolio_interval), APR_USEC_PER_SEC, DAY, 0,
                                             "5m"};

mnet_where_t mnet_where(const cmd_parms *cmd)
{
    mnet_where_t where = {NULL, 0};
    if (cmd->directive) {
        where.file = apr_pstrdup(cmd->pool, cmd->directive->filename);
        where.line = cmd->directive->line_num;
    }
    return where;
}

int mnet_name_ok(const char *name)
{
    apr_size_t len = strlen(name);
    return len && len <= 64 &&
           len == strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_-.");
}

static const char *quote(const char *text, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "'", mnet_for_log(text, strlen(text), 200, pool), "'", NULL);
}

/* Before a field is written: may it stand here? */
static const char *begin(cmd_parms *cmd, mnet_field_e field, int whole_server)
{
    if (whole_server && cmd->server->is_virtual)
        return apr_psprintf(cmd->pool,
                            "%s is for the whole server; move it out of <VirtualHost>, to the main "
                            "configuration",
                            cmd->cmd->name);
    mnet_conf_get(cmd->server)->where[field] = mnet_where(cmd);
    return NULL;
}

static const char *out_of_bounds(cmd_parms *cmd, const char *arg, const char *min, const char *max,
                                 const setting_t *setting)
{
    return apr_psprintf(
        cmd->pool, "%s %s is out of bounds; write something from %s to %s, as in %s %s",
        cmd->cmd->name, quote(arg, cmd->pool), min, max, cmd->cmd->name, setting->example);
}

static const char *set_flag(cmd_parms *cmd, void *dir, int on)
{
    const setting_t *setting = cmd->info;
    const char *problem = begin(cmd, setting->field, setting->whole_server);
    if (problem)
        return problem;
    *(int *)((char *)mnet_conf_get(cmd->server) + setting->offset) = !!on;
    return NULL;
}

static const char *set_text(cmd_parms *cmd, void *dir, const char *arg)
{
    const setting_t *setting = cmd->info;
    const char *problem = begin(cmd, setting->field, setting->whole_server);
    apr_size_t len = strlen(arg);
    if (problem)
        return problem;
    if ((apr_int64_t)len > setting->max)
        return apr_psprintf(cmd->pool, "%s is %" APR_SIZE_T_FMT " bytes long; %d are allowed",
                            cmd->cmd->name, len, (int)setting->max);
    if (!mnet_is_utf8(arg, len))
        return apr_psprintf(cmd->pool, "%s is not UTF-8; save the file as UTF-8", cmd->cmd->name);
    *(const char **)((char *)mnet_conf_get(cmd->server) + setting->offset) = arg;
    return NULL;
}

static const char *format_size(apr_int64_t size, apr_pool_t *pool)
{
    static const char units[] = {'t', 'g', 'm', 'k'};
    int shift = 40;
    for (int i = 0; i < 4; i++, shift -= 10)
        if (size && !(size & ((APR_INT64_C(1) << shift) - 1)))
            return apr_psprintf(pool, "%" APR_INT64_T_FMT "%c", size >> shift, units[i]);
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, size);
}

static const char *set_size(cmd_parms *cmd, void *dir, const char *arg)
{
    const setting_t *setting = cmd->info;
    const char *problem = begin(cmd, setting->field, setting->whole_server);
    apr_off_t size;
    if (problem)
        return problem;
    if (mnet_parse_size(arg, &size))
        return apr_psprintf(
            cmd->pool, "%s: %s is no size; write a number with k, m, g or t, as in %s %s",
            cmd->cmd->name, quote(arg, cmd->pool), cmd->cmd->name, setting->example);
    if (size < setting->min || size > setting->max)
        return out_of_bounds(cmd, arg, format_size(setting->min, cmd->pool),
                             format_size(setting->max, cmd->pool), setting);
    *(apr_off_t *)((char *)mnet_conf_get(cmd->server) + setting->offset) = size;
    return NULL;
}

static const char *set_time(cmd_parms *cmd, void *dir, const char *arg)
{
    const setting_t *setting = cmd->info;
    const char *problem = begin(cmd, setting->field, setting->whole_server);
    apr_interval_time_t time;
    if (problem)
        return problem;
    if (mnet_parse_time(arg, &time))
        return apr_psprintf(
            cmd->pool, "%s: %s is no time; write a number with ms, s, m, h, d or w, as in %s %s",
            cmd->cmd->name, quote(arg, cmd->pool), cmd->cmd->name, setting->example);
    if (time < setting->min || time > setting->max)
        return out_of_bounds(cmd, arg, mnet_format_time(setting->min, cmd->pool),
                             mnet_format_time(setting->max, cmd->pool), setting);
    *(apr_interval_time_t *)((char *)mnet_conf_get(cmd->server) + setting->offset) = time;
    return NULL;
}

/* A whole number in decimal digits and nothing else. */
static int read_number(const char *arg, apr_int64_t *number)
{
    apr_size_t len = strlen(arg);
    if (!len || len > 10 || len != strspn(arg, "0123456789"))
        return 0;
    *number = apr_atoi64(arg);
    return 1;
}

static const char *set_int(cmd_parms *cmd, void *dir, const char *arg)
{
    const setting_t *setting = cmd->info;
    const char *problem = begin(cmd, setting->field, setting->whole_server);
    apr_int64_t number;
    if (problem)
        return problem;
    if (!read_number(arg, &number))
        return apr_psprintf(cmd->pool, "%s: %s is no number; write digits alone, as in %s %s",
                            cmd->cmd->name, quote(arg, cmd->pool), cmd->cmd->name,
                            setting->example);
    if (number < setting->min || number > setting->max)
        return out_of_bounds(cmd, arg, apr_psprintf(cmd->pool, "%d", (int)setting->min),
                             apr_psprintf(cmd->pool, "%d", (int)setting->max), setting);
    *(int *)((char *)mnet_conf_get(cmd->server) + setting->offset) = (int)number;
    return NULL;
}

static const char *set_wwwroot(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *problem = mnet_wwwroot_problem(arg, cmd->pool);
    if (problem)
        return apr_pstrcat(cmd->pool, "MnetWwwroot: ", problem, NULL);
    mnet_conf_get(cmd->server)->wwwroot = arg;
    return begin(cmd, MNET_FIELD_wwwroot, 0);
}

static const char *set_key_bits(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_int64_t bits;
    if (!read_number(arg, &bits) || (bits != 2048 && bits != 3072 && bits != 4096))
        return apr_psprintf(cmd->pool,
                            "MnetKeyBits: %s is no size of a key here; write 2048, 3072 or 4096",
                            quote(arg, cmd->pool));
    mnet_conf_get(cmd->server)->key_bits = (int)bits;
    return begin(cmd, MNET_FIELD_key_bits, 0);
}

static const char *set_failure_limit(cmd_parms *cmd, void *dir, const char *arg)
{
    mnet_rate_t rate;
    if (mnet_parse_rate(arg, &rate.count, &rate.per))
        return apr_psprintf(cmd->pool,
                            "MnetFailureLimit: %s is no rate; write N/TIME, as in MnetFailureLimit "
                            "30/1m, or 0 for no limit",
                            quote(arg, cmd->pool));
    mnet_conf_get(cmd->server)->failure_limit = rate;
    return begin(cmd, MNET_FIELD_failure_limit, 0);
}

static int list_has(const apr_array_header_t *list, const char *text)
{
    for (int i = 0; i < list->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(list, i, const char *), text))
            return 1;
    return 0;
}

static const char *add_to_list(cmd_parms *cmd, apr_array_header_t **list, mnet_field_e field,
                               const char *text)
{
    if (!*list)
        *list = apr_array_make(cmd->pool, 4, sizeof(const char *));
    else if (list_has(*list, text))
        return apr_psprintf(cmd->pool, "%s: %s is there twice; write it once", cmd->cmd->name,
                            quote(text, cmd->pool));
    APR_ARRAY_PUSH(*list, const char *) = text;
    return begin(cmd, field, 0);
}

static const char *add_application(cmd_parms *cmd, void *dir, const char *arg)
{
    if (!mnet_name_ok(arg))
        return apr_psprintf(
            cmd->pool,
            "MnetApplication: %s is no name of an application; write moodle, mahara, "
            "or a name given by MnetDefineApplication",
            quote(arg, cmd->pool));
    return add_to_list(cmd, &mnet_conf_get(cmd->server)->applications, MNET_FIELD_applications,
                       arg);
}

static const char *add_plaintext(cmd_parms *cmd, void *dir, const char *arg)
{
    char *address = apr_pstrdup(cmd->temp_pool, arg);
    char *mask = strchr(address, '/');
    apr_ipsubnet_t *subnet;
    if (mask)
        *mask++ = '\0';
    if (apr_ipsubnet_create(&subnet, address, mask, cmd->temp_pool))
        return apr_psprintf(cmd->pool,
                            "MnetPlaintextFrom: %s is no address or network; write as in "
                            "MnetPlaintextFrom 192.0.2.7 or 2001:db8::/32",
                            quote(arg, cmd->pool));
    return add_to_list(cmd, &mnet_conf_get(cmd->server)->plaintext_from, MNET_FIELD_plaintext_from,
                       arg);
}

/* A path of an application, as it stands below a wwwroot. */
static int path_ok(const char *path)
{
    apr_size_t len = strlen(path);
    if (len < 2 || len > 255 || path[0] != '/' || path[len - 1] == '/' || strstr(path, "//") ||
        strstr(path, "/../") || strstr(path, "/./"))
        return 0;
    if (!strcmp(path + len - 2, "/.") || (len > 2 && !strcmp(path + len - 3, "/..")))
        return 0;
    for (const char *p = path; *p; p++)
        if (apr_iscntrl(*p) || (unsigned char)*p >= 0x7f || strchr(" ?#%\\\"<>", *p))
            return 0;
    return 1;
}

static const char *define_path(cmd_parms *cmd, mnet_application_t *application, const char *arg)
{
    const struct {
        const char *key;
        const char **value;
    } keys[] = {{"xmlrpc=", &application->xmlrpc},
                {"land=", &application->land},
                {"jump=", &application->jump},
                {"publickey=", &application->publickey}};
    for (apr_size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        apr_size_t len = strlen(keys[i].key);
        if (strncmp(arg, keys[i].key, len))
            continue;
        if (!path_ok(arg + len))
            return apr_psprintf(cmd->pool,
                                "MnetDefineApplication: %s is no path below a wwwroot; write as in "
                                "%s/rpc/server.php",
                                quote(arg + len, cmd->pool), keys[i].key);
        *keys[i].value = arg + len;
        return NULL;
    }
    return apr_psprintf(cmd->pool,
                        "MnetDefineApplication: %s is not understood; write NAME xmlrpc=/path "
                        "land=/path jump=/path, and publickey=/path if need be",
                        quote(arg, cmd->pool));
}

static const char *define_application(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    mnet_conf_t *conf = mnet_conf_get(cmd->server);
    mnet_application_t *application = apr_pcalloc(cmd->pool, sizeof(*application));
    if (!argc || !mnet_name_ok(argv[0]))
        return "MnetDefineApplication: a name goes first, as in MnetDefineApplication totara "
               "xmlrpc=/mnet/xmlrpc/server.php land=/auth/mnet/land.php jump=/auth/mnet/jump.php";
    application->name = argv[0];
    if (mnet_application_find(conf->defined, argv[0]))
        return apr_psprintf(
            cmd->pool,
            "MnetDefineApplication: %s is built in or defined before; choose another name",
            argv[0]);
    for (int i = 1; i < argc; i++) {
        const char *problem = define_path(cmd, application, argv[i]);
        if (problem)
            return problem;
    }
    if (!application->xmlrpc || !application->land || !application->jump)
        return apr_psprintf(
            cmd->pool,
            "MnetDefineApplication %s needs all of xmlrpc=, land= and jump=; %s is missing",
            argv[0],
            !application->xmlrpc ? "xmlrpc="
            : !application->land ? "land="
                                 : "jump=");
    if (!application->publickey) {
        const char *slash = strrchr(application->xmlrpc, '/');
        application->publickey =
            apr_pstrcat(cmd->pool,
                        apr_pstrmemdup(cmd->pool, application->xmlrpc,
                                       (apr_size_t)(slash - application->xmlrpc)),
                        "/publickey.php", NULL);
    }
    if (!strcmp(application->publickey, application->xmlrpc))
        return apr_psprintf(
            cmd->pool,
            "MnetDefineApplication %s: xmlrpc= and publickey= are the same path; write "
            "another publickey=/path",
            argv[0]);
    apr_hash_set(conf->defined, application->name, APR_HASH_KEY_STRING, application);
    return begin(cmd, MNET_FIELD_defined, 0);
}

#define MNET_FLAG(name, setting, help)                                                             \
    AP_INIT_FLAG(name, set_flag, (void *)&setting, RSRC_CONF, help)
#define MNET_ONE(name, set, setting, help)                                                         \
    AP_INIT_TAKE1(name, set, (void *)&setting, RSRC_CONF, help)
#define MNET_PLAIN(name, set, help) AP_INIT_TAKE1(name, set, NULL, RSRC_CONF, help)
#define MNET_EACH(name, set, help)  AP_INIT_ITERATE(name, set, NULL, RSRC_CONF, help)
#define MNET_DIR_FLAG(name, member, where, help)                                                   \
    AP_INIT_FLAG(name, mnet_set_dir_flag, (void *)offsetof(mnet_dir_t, member), where, help)
/* Where a directive about who may enter stands; .htaccess as well, by AllowOverride AuthConfig. */
#define SECTION (RSRC_CONF | ACCESS_CONF | OR_AUTHCFG)

const command_rec mnet_directives[] = {
    MNET_FLAG("MnetEngine", engine, "On or Off: answer MNET on this host"),
    MNET_PLAIN("MnetWwwroot", set_wwwroot,
               "who we are: a URL without a trailing slash, as in https://www.example.org"),
    MNET_ONE("MnetSiteName", set_text, site_name,
             "the organisation in our certificate and on pages"),
    MNET_EACH(
        "MnetApplication", add_application,
        "what we are to our peers: moodle, mahara or a name given by MnetDefineApplication; the "
        "first is what we say, the paths of all are served"),
    AP_INIT_TAKE_ARGV("MnetDefineApplication", define_application, NULL, RSRC_CONF,
                      "NAME xmlrpc=/path land=/path jump=/path: the paths of another application"),
    MNET_ONE("MnetStateDir", set_text, state_dir, "the directory of keys, peers and other state"),
    MNET_ONE("MnetStateSize", set_size, state_size, "the most the state may grow to, as in 1g"),
    MNET_ONE("MnetSharedMemory", set_size, shared_memory, "the shared memory segment, as in 4m"),
    MNET_PLAIN("MnetKeyBits", set_key_bits, "2048, 3072 or 4096: the size of a new key"),
    MNET_ONE("MnetKeyLifetime", set_time, key_lifetime, "how long a key is in use, as in 365d"),
    MNET_ONE("MnetKeyHistory", set_int, key_history, "how many old keys still open a message"),
    MNET_ONE("MnetClockSkew", set_time, clock_skew,
             "how far a message's timestamp may be off, as in 15m; 0 accepts any"),
    MNET_ONE("MnetReplayWindow", set_time, replay_window,
             "how long a call that changes something is remembered, as in 30d"),
    MNET_ONE("MnetMaxBody", set_size, max_body, "the largest body of a request, as in 10m"),
    MNET_EACH("MnetPlaintextFrom", add_plaintext,
              "addresses or networks whose signed messages need not be encrypted"),
    MNET_FLAG("MnetRegisterAllHosts", register_all,
              "On or Off: system/keyswap from an unknown site makes it a peer without services"),
    MNET_ONE("MnetTimeout", set_time, timeout,
             "how long an outgoing call may take to connect, or go without progress, as in 30s"),
    MNET_ONE("MnetOutgoingLimit", set_int, outgoing_limit,
             "how many request threads may wait for a peer at once"),
    MNET_PLAIN("MnetFailureLimit", set_failure_limit,
               "N/TIME: messages that do not open before an address is answered 429, as in 30/1m"),
    AP_INIT_RAW_ARGS("<MnetPeer", mnet_peer_section, NULL, RSRC_CONF,
                     "the section of a peer: <MnetPeer \"https://moodle.example.org\">"),
    MNET_PLAIN("MnetPeerApplication", mnet_peer_application,
               "what the peer is: moodle, mahara, ..."),
    MNET_PLAIN("MnetPeerCertificate", mnet_peer_certificate,
               "the file of the peer's certificate, PEM"),
    MNET_PLAIN("MnetPeerEndpoint", mnet_peer_endpoint,
               "where to connect instead of the peer's own address, as in http://127.0.0.1:8081"),
    MNET_PLAIN("MnetPeerTLS", mnet_peer_tls, "verify, insecure, or a file of CA certificates"),
    MNET_PLAIN("MnetPeerCharset", mnet_peer_charset,
               "auto, utf8 or bytes: how the peer's XML-RPC treats text outside ASCII"),
    MNET_EACH("MnetPublish", mnet_peer_publish, "services that the peer may call here, or none"),
    MNET_EACH("MnetSubscribe", mnet_peer_subscribe,
              "services that we call there, or NAME=PATTERN[,PATTERN], or none"),
    AP_INIT_TAKE_ARGV("MnetUserAccess", mnet_peer_access, NULL, RSRC_CONF,
                      "allow or deny, then * or user names; the first match wins"),
    MNET_PLAIN("MnetRemoteUser", mnet_set_remote_user,
               "REMOTE_USER of a user who came from a peer, as in %{username}@%{peer}"),
    AP_INIT_TAKE_ARGV("MnetCookie", mnet_set_cookie, NULL, RSRC_CONF,
                      "the session's cookie: its name, then SameSite=Lax|Strict|None, Secure, "
                      "HttpOnly or Path=/path"),
    MNET_ONE("MnetSessionLifetime", set_time, session_lifetime,
             "how long a session lasts at most, as in 8h"),
    MNET_ONE("MnetSessionIdle", set_time, session_idle,
             "how long a session lasts without a request, as in 1h"),
    MNET_ONE("MnetTokenLifetime", set_time, token_lifetime,
             "how long a peer may take to claim a jump's token, as in 30s"),
    AP_INIT_TAKE_ARGV("MnetLedger", mnet_set_ledger, NULL, RSRC_CONF,
                      "On [prefix=PATH] [service=NAME], or Off: the school-information methods, "
                      "answered from a ledger"),
    MNET_EACH("MnetProfileFields", mnet_set_profile_field,
              "what of a user's profile is taken at a landing, by the provider's names"),
    AP_INIT_TAKE1("MnetPassAttributes", mnet_set_pass_attributes, NULL, SECTION,
                  "env, headers, both or none: how an application is told who the user is"),
    MNET_DIR_FLAG("MnetAuthOptional", optional, SECTION,
                  "On or Off: say who the user is where there is a session, and let others by"),
    AP_INIT_TAKE1("AuthType", mnet_note_auth_type, NULL, OR_AUTHCFG,
                  "mod_authn_core's; whether it is None is noted here, which httpd does not tell"),
    AP_INIT_TAKE12("MnetLogin", mnet_set_login, NULL, SECTION,
                   "the peer at whose site users log in: its wwwroot, and ins=N for a Mahara"),
    MNET_DIR_FLAG("MnetIdentityProvider", identity_provider, RSRC_CONF | ACCESS_CONF,
                  "On or Off: users whom httpd authenticated here may jump to peers"),
    MNET_DIR_FLAG("MnetJumpOnward", jump_onward, RSRC_CONF | ACCESS_CONF,
                  "On or Off: so may users who came in from a peer"),
    AP_INIT_TAKE_ARGV("MnetBackend", mnet_set_backend, NULL, RSRC_CONF,
                      "PATTERN URL [URL...] [service=NAME] [format=xmlrpc|json] [timeout=T] "
                      "[readonly] [signature=TYPE(TYPE NAME, ...)] [help=TEXT]: methods that a "
                      "local application answers"),
    AP_INIT_TAKE1("MnetUserImage", mnet_set_user_image, NULL, RSRC_CONF | ACCESS_CONF,
                  "the file of a user's picture, an expression"),
    AP_INIT_TAKE2("MnetAttribute", mnet_set_attribute, NULL, RSRC_CONF | ACCESS_CONF,
                  "what peers are told of a user: a name and an expression"),
    MNET_ONE("MnetPortfolioDir", set_text, portfolio_dir,
             "the folder of received packages and of those on their way; without it there is no "
             "portfolio"),
    MNET_PLAIN("MnetPortfolioAccept", mnet_set_portfolio_accept,
               "immediate, queue or none: the answer to an intent"),
    MNET_ONE("MnetPortfolioMaxSize", set_size, portfolio_max_size, "the largest package, as in 1g"),
    MNET_ONE("MnetPortfolioExpire", set_time, portfolio_expire,
             "how long an intent waits for its package, as in 7d"),
    MNET_ONE("MnetPortfolioInterval", set_time, portfolio_interval,
             "how soon what failed is tried again, as in 5m"),
    AP_INIT_TAKE_ARGV("MnetPortfolioRoute", mnet_set_portfolio_route, NULL, RSRC_CONF,
                      "FORMAT dir:FOLDER|URL [priority=N]: where packages of that format go"),
    {NULL}};
