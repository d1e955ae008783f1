/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An example of a module that answers methods of MNET by itself: a library that lends books to the
 * pupils of the sites that are joined to this one.  It needs mod_mnet.h and nothing else of
 * mod_mnet:
 *
 *     apxs -i -c mod_mnet_example.c
 *
 *     LoadModule mnet_module         modules/mod_mnet.so
 *     LoadModule mnet_example_module modules/mod_mnet_example.so
 *     <VirtualHost *:443>
 *         MnetEngine On
 *         MnetWwwroot https://www.example.org
 *         # how many a pupil may have
 *         MnetExampleBooks 3
 *         <MnetPeer "https://moodle.example.org">
 *             # this peer may call the methods below
 *             MnetPublish example_library
 *         </MnetPeer>
 *     </VirtualHost>
 *
 *   local/example/rpclib.php/lend   (string username, string book [, int days])  struct
 *   local/example/rpclib.php/whoami ()                                           struct
 *   local/example/rpclib.php/any/...(anything)                                   what it was given
 */

#include <httpd.h>
#include <http_config.h>
#include <http_log.h>
#include <ap_provider.h>
#include <apr_strings.h>

#include <mod_mnet.h>

extern module AP_MODULE_DECLARE_DATA mnet_example_module;

/* mod_mnet's functions; NULL if there is none, or it is too old.  Set before the server starts. */
static const mnet_api_t *api;

/* --- configuration: a site lends so many books to a pupil --- */

typedef struct example_t {
    int books;
} example_t;

static void *create(apr_pool_t *pool, server_rec *s)
{
    example_t *conf = apr_pcalloc(pool, sizeof(*conf));
    conf->books = 1;
    return conf;
}

static const char *set_books(cmd_parms *cmd, void *dir, const char *arg)
{
    example_t *conf = ap_get_module_config(cmd->server->module_config, &mnet_example_module);
    conf->books = (int)apr_atoi64(arg);
    return conf->books > 0 ? NULL : "MnetExampleBooks: write a number above 0, as in 3";
}

static const command_rec directives[] = {
    AP_INIT_TAKE1("MnetExampleBooks", set_books, NULL, RSRC_CONF, "books that a pupil may have"),
    {NULL},
};

/* --- methods --- */

/*
 * Called by any thread.  The baton is what the method was registered with: here the virtual host's
 * configuration.  mod_mnet has verified who calls, that the service is published to it, and that
 * the two required parameters are there; of which type they are is for the method to look at.
 */
static apr_status_t lend(struct mnet_call_t *call, void *baton)
{
    const example_t *conf = baton;
    apr_pool_t *pool = api->pool(call);
    const char *username = api->text(api->param(call, 0), pool);
    const char *book = api->text(api->param(call, 1), pool);
    struct mnet_value_t *loan;
    apr_int64_t days = 14;

    if (!username || !*username)
        return api->fault(call, 5014, "username: a name is needed");
    if (!book || !*book)
        return api->fault(call, 5012, "book: a title is needed");
    if (api->param_count(call) > 2 &&
        (!api->integer(api->param(call, 2), &days) || days < 1 || days > 90))
        return api->fault(call, 5013, "days: a number from 1 to 90");

    loan = api->make_struct(pool);
    api->set(loan, "borrower",
             api->make_string(apr_pstrcat(pool, username, " of ", api->caller(call), NULL), pool));
    api->set(loan, "book", api->make_string(book, pool));
    api->set(loan, "days", api->make_int(days, pool));
    api->set(loan, "of", api->make_int(conf->books, pool));
    return api->result(call, loan);
}

static apr_status_t whoami(struct mnet_call_t *call, void *baton)
{
    apr_pool_t *pool = api->pool(call);
    struct mnet_value_t *who = api->make_struct(pool);

    api->set(who, "caller", api->make_string(api->caller(call), pool));
    api->set(who, "application", api->make_string(api->application(call), pool));
    api->set(who, "site", api->make_string(api->site(call), pool));
    api->set(who, "method", api->make_string(api->method(call), pool));
    api->set(who, "address", api->make_string(api->address(call), pool));
    return api->result(call, who);
}

/* Bytes of a text of any length, without holding it: a sum for the example's sake. */
static apr_status_t add_up(void *baton, const char *data, apr_size_t len)
{
    apr_int64_t *sum = baton;
    for (apr_size_t i = 0; i < len; i++)
        *sum += (unsigned char)data[i];
    return APR_SUCCESS;
}

/* Takes a value apart and makes one like it: every kind there is. */
static struct mnet_value_t *copy(const struct mnet_value_t *value, apr_pool_t *pool)
{
    struct mnet_value_t *made;
    const char *text;
    apr_int64_t integer = 0;
    double real = 0;

    switch (api->kind(value)) {
    case MNET_IS_STRING:
        text = api->text(value, pool);
        if (text)
            return api->make_string(text, pool);
        /* Over 64 KiB: its length and the sum of its bytes. */
        api->pour(value, add_up, &integer);
        made = api->make_struct(pool);
        api->set(made, "length", api->make_int(api->length(value), pool));
        api->set(made, "sum", api->make_int(integer, pool));
        return made;
    case MNET_IS_INT:
        api->integer(value, &integer);
        return api->make_int(integer, pool);
    case MNET_IS_BOOLEAN:
        return api->make_boolean(api->truth(value), pool);
    case MNET_IS_DOUBLE:
        api->real(value, &real);
        return api->make_double(real, pool);
    case MNET_IS_BASE64:
        text = api->text(value, pool);
        return api->make_base64(text, text ? (apr_size_t)api->length(value) : 0, pool);
    case MNET_IS_DATETIME:
        return api->make_datetime(api->text(value, pool), pool);
    case MNET_IS_ARRAY:
        made = api->make_array(pool);
        for (int i = 0; i < api->count(value); i++)
            api->append(made, copy(api->item(value, i), pool));
        return made;
    case MNET_IS_STRUCT:
        made = api->make_struct(pool);
        for (int i = 0; i < api->count(value); i++)
            api->set(made, api->name(value, i), copy(api->item(value, i), pool));
        return made;
    case MNET_IS_NIL:
    default:
        return api->make_nil(pool);
    }
}

static apr_status_t any(struct mnet_call_t *call, void *baton)
{
    return api->result(call, copy(api->param(call, 0), api->pool(call)));
}

/* Not a fault that was meant: mod_mnet answers one for it, and says so in the log. */
static apr_status_t broken(struct mnet_call_t *call, void *baton)
{
    return APR_EGENERAL;
}

static apr_status_t key_changed(struct mnet_call_t *call, void *baton)
{
    return api->fault(call, 7025, "no key of ours");
}

/* --- registering --- */

static const mnet_service_value_t lend_parameters[] = {
    {"username", "string", "of the pupil, at the calling site"},
    {"book", "string", "its title"},
    {"days", "int", "for how long; 14 if it is left out"},
    {NULL, NULL, NULL}};

/* Of one site: the baton is its own, so each is made anew, in a pool that lasts. */
static mnet_service_method_t *method(const char *path, mnet_service_effect_e effect,
                                     apr_status_t (*handler)(struct mnet_call_t *, void *),
                                     const char *help, void *baton, apr_pool_t *pool)
{
    mnet_service_method_t *made = apr_pcalloc(pool, sizeof(*made));

    made->path = apr_pstrcat(pool, "local/example/rpclib.php/", path, NULL);
    made->service = "example_library";
    made->effect = effect;
    made->returns.type = "struct";
    made->returns.description = "what became of it";
    made->help = help;
    made->handler = handler;
    made->baton = baton;
    return made;
}

/* Called in every child for every site; s is the first virtual host of that site. */
static apr_status_t add_methods(server_rec *s, const char *wwwroot, mnet_service_add_fn *add,
                                void *to, apr_pool_t *pool)
{
    example_t *conf = ap_get_module_config(s->module_config, &mnet_example_module);
    mnet_service_method_t *methods[] = {
        method("lend", MNET_SERVICE_CHANGES, lend, "Lends a book to a pupil.", conf, pool),
        method("whoami", MNET_SERVICE_READS, whoami, "Tells the caller who it is.", conf, pool),
        method("any/*", MNET_SERVICE_READS, any, "Answers what it is given.", conf, pool),
        method("broken", MNET_SERVICE_READS, broken, "Fails.", conf, pool),
        method("key_changed", MNET_SERVICE_READS, key_changed, "A fault that is none.", conf, pool),
    };
    apr_status_t rv = APR_SUCCESS;

    if (!api) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "mod_mnet_example needs a newer mod_mnet");
        return APR_ENOTIMPL;
    }
    methods[0]->parameters = lend_parameters;
    methods[0]->required = 2;
    for (apr_size_t i = 0; !rv && i < sizeof(methods) / sizeof(methods[0]); i++)
        rv = add(to, methods[i]);
    return rv;
}

static const mnet_service_provider_t provider = {add_methods};

static void retrieve(void)
{
    APR_OPTIONAL_FN_TYPE(mnet_api) *get = APR_RETRIEVE_OPTIONAL_FN(mnet_api);
    api = get ? get(MNET_API_VERSION) : NULL;
}

static void hooks(apr_pool_t *pool)
{
    ap_hook_optional_fn_retrieve(retrieve, NULL, NULL, APR_HOOK_MIDDLE);
    ap_register_provider(pool, MNET_SERVICE_GROUP, "example", MNET_SERVICE_VERSION, &provider);
}

AP_DECLARE_MODULE(mnet_example) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, create, NULL, directives, hooks,
};
