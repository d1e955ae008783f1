/* SPDX-License-Identifier: Apache-2.0 */

/* import: what export wrote, checked as a whole before any of it is written. */
#include "cli/transfer.h"

#include <string.h>

#include <apr_strings.h>

#include "base/status.h"
#include "wire/json.h"

#define FILE_MAX  (64 * 1024 * 1024)
#define PEERS_MAX 100000

/* One peer of the file. */
typedef struct incoming_t {
    mnet_peer_facts_t *facts;
    mnet_trust_e trust;
    const char *certificate, *previous, *pending; /* PEM, canonical, or NULL */
    const char *pending_why, *methods;
} incoming_t;

/* One site of the file and where it goes. */
typedef struct target_t {
    mnet_host_t *host;
    const mnet_value_t *site;
    apr_array_header_t *peers; /* incoming_t */
} target_t;

typedef struct import_t {
    cli_t *cli;
    const char *file;
    int replace, with_keys;
    int written, skipped, keys, keys_left;
} import_t;

/* --- reading one peer --- */

static int bad(const import_t *import, const char *peer, const char *sentence)
{
    return cli_fail(import->cli, "state", "%s: %s: %s; nothing was imported", import->file, peer,
                    sentence);
}

/* A member that is a text, or not said.  *ok becomes 0 if it is anything else. */
static const char *text_of(const import_t *import, const mnet_value_t *peer, const char *name,
                           int *ok)
{
    const mnet_value_t *value = mnet_get(peer, name);
    const char *text;

    if (value == NULL || value->type == MNET_NIL) {
        return NULL;
    }
    text = value->type == MNET_STRING ? mnet_as_text(value, import->cli->pool) : NULL;
    *ok = *ok && text != NULL;
    return text;
}

/* A member that is a list of texts, or not said (NULL). */
static apr_array_header_t *texts_of(const import_t *import, const mnet_value_t *peer,
                                    const char *name, int *ok)
{
    const mnet_value_t *value = mnet_get(peer, name);
    apr_array_header_t *texts;
    int i;

    if (value == NULL || value->type == MNET_NIL) {
        return NULL;
    }
    *ok = *ok && value->type == MNET_ARRAY;
    texts = apr_array_make(import->cli->pool, 4, sizeof(const char *));
    for (i = 0; *ok && i < mnet_count(value); i++) {
        const mnet_value_t *item = mnet_item(value, i);
        const char *text = item->type == MNET_STRING ? mnet_as_text(item, import->cli->pool) : NULL;

        *ok = text != NULL;
        APR_ARRAY_PUSH(texts, const char *) = text;
    }
    return texts;
}

static apr_array_header_t *access_of(const import_t *import, const mnet_value_t *peer, int *ok)
{
    const mnet_value_t *value = mnet_get(peer, "access");
    apr_array_header_t *access;
    int i;

    if (value == NULL || value->type == MNET_NIL) {
        return NULL;
    }
    *ok = *ok && value->type == MNET_ARRAY;
    access = apr_array_make(import->cli->pool, 4, sizeof(mnet_access_t));
    for (i = 0; *ok && i < mnet_count(value); i++) {
        const mnet_value_t *item = mnet_item(value, i), *allow = mnet_get(item, "allow");
        mnet_access_t *rule = apr_array_push(access);

        rule->user = text_of(import, item, "user", ok);
        rule->allow = allow != NULL && allow->integer != 0;
        *ok = *ok && rule->user != NULL && allow != NULL && allow->type == MNET_BOOLEAN;
    }
    return access;
}

static int trust_of(const char *word, mnet_trust_e *trust)
{
    static const mnet_trust_e all[] = {MNET_TRUST_NONE, MNET_TRUST_CONFIG, MNET_TRUST_CONFIRMED,
                                       MNET_TRUST_ROTATED, MNET_TRUST_KEYSWAP};
    size_t i;

    for (i = 0; word != NULL && i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(word, cli_trust_name(all[i])) == 0) {
            /* Who wrote it into a configuration vouched for it. */
            *trust = all[i] == MNET_TRUST_CONFIG ? MNET_TRUST_CONFIRMED : all[i];
            return 1;
        }
    }
    return 0;
}

static int tls_of(const char *word, mnet_peer_facts_t *facts)
{
    if (word == NULL) {
        return 1;
    }
    facts->tls = strcmp(word, "verify") == 0     ? MNET_TLS_VERIFY
                 : strcmp(word, "insecure") == 0 ? MNET_TLS_INSECURE
                                                 : MNET_TLS_CAFILE;
    facts->cafile = facts->tls == MNET_TLS_CAFILE ? word : NULL;
    return facts->cafile == NULL || word[0] == '/';
}

static int charset_of(const char *word, mnet_peer_facts_t *facts)
{
    if (word == NULL) {
        return 1;
    }
    facts->charset = strcmp(word, "utf8") == 0    ? MNET_PEER_CHARSET_UTF8
                     : strcmp(word, "bytes") == 0 ? MNET_PEER_CHARSET_BYTES
                                                  : MNET_PEER_CHARSET_AUTO;
    return facts->charset != MNET_PEER_CHARSET_AUTO || strcmp(word, "auto") == 0;
}

/* A certificate of the peer in its canonical form; NULL stays NULL. */
static int certificate_of(const import_t *import, const char *wwwroot, const char **pem)
{
    mnet_certificate_t *certificate;
    const char *why = NULL;

    if (*pem == NULL) {
        return CLI_OK;
    }
    if (mnet_certificate_read(import->cli->engine->crypto, *pem, &certificate, &why,
                              import->cli->pool) == APR_SUCCESS) {
        why = mnet_certificate_mismatch(certificate, wwwroot, import->cli->pool);
        *pem = certificate->pem;
        return why == NULL ? CLI_OK : bad(import, wwwroot, why);
    }
    return bad(import, wwwroot, why != NULL ? why : "a certificate cannot be read");
}

static int services_of(const import_t *import, const mnet_value_t *peer, incoming_t *incoming)
{
    mnet_peer_facts_t *facts = incoming->facts;
    apr_array_header_t *publish, *subscribe, *list;
    int ok = 1, rv = CLI_OK;

    publish = texts_of(import, peer, "publish", &ok);
    subscribe = texts_of(import, peer, "subscribe", &ok);
    facts->access = access_of(import, peer, &ok);
    if (!ok) {
        return bad(import, facts->wwwroot,
                   "publish, subscribe or access is no list as it should be");
    }
    if (publish != NULL) {
        rv = cli_publish_list(import->cli, publish, NULL, &list);
        facts->publish = list;
    }
    if (rv == CLI_OK && subscribe != NULL) {
        rv = cli_subscribe_list(import->cli, subscribe, NULL, &list);
        facts->subscribe = list;
    }
    return rv == CLI_OK ? CLI_OK : CLI_FAILED;
}

static int read_texts(const import_t *import, const mnet_value_t *peer, incoming_t *incoming)
{
    mnet_peer_facts_t *facts = incoming->facts;
    const mnet_value_t *active = mnet_get(peer, "active");
    int ok = 1;

    facts->application = text_of(import, peer, "application", &ok);
    facts->endpoint = text_of(import, peer, "endpoint", &ok);
    facts->active = active == NULL || mnet_as_truth(active);
    incoming->certificate = text_of(import, peer, "certificate", &ok);
    incoming->previous = text_of(import, peer, "previous", &ok);
    incoming->pending = text_of(import, peer, "pending", &ok);
    incoming->pending_why = text_of(import, peer, "pending_why", &ok);
    incoming->methods = text_of(import, peer, "methods", &ok);
    ok = ok && tls_of(text_of(import, peer, "tls", &ok), facts) &&
         charset_of(text_of(import, peer, "charset", &ok), facts) &&
         trust_of(text_of(import, peer, "trust", &ok), &incoming->trust);
    return ok ? CLI_OK : bad(import, facts->wwwroot, "a member is not what it should be");
}

static int read_peer(const import_t *import, const mnet_host_t *host, const mnet_value_t *peer,
                     incoming_t *incoming)
{
    const char *wwwroot, *problem;
    int ok = 1, rv;

    memset(incoming, 0, sizeof(*incoming));
    wwwroot = text_of(import, peer, "wwwroot", &ok);
    if (wwwroot == NULL) {
        return bad(import, "a peer", "it has no wwwroot");
    }
    incoming->facts = mnet_peer_facts_create(wwwroot, import->cli->pool);
    rv = read_texts(import, peer, incoming);
    if (rv == CLI_OK) {
        rv = services_of(import, peer, incoming);
    }
    if (rv != CLI_OK) {
        return rv;
    }
    problem = mnet_peer_problem(host->site, incoming->facts, NULL, import->cli->pool);
    if (problem == NULL && incoming->facts->endpoint != NULL) {
        problem = cli_endpoint_problem(import->cli, incoming->facts->endpoint);
    }
    if (problem != NULL) {
        return bad(import, wwwroot, problem);
    }
    if ((incoming->trust == MNET_TRUST_NONE) != (incoming->certificate == NULL)) {
        return bad(import, wwwroot, "trust and certificate do not go together");
    }
    rv = certificate_of(import, wwwroot, &incoming->certificate);
    if (rv == CLI_OK) {
        rv = certificate_of(import, wwwroot, &incoming->previous);
    }
    return rv == CLI_OK ? certificate_of(import, wwwroot, &incoming->pending) : rv;
}

/* --- the whole file --- */

static int read_target(const import_t *import, target_t *target)
{
    const mnet_value_t *peers = mnet_get(target->site, "peers");
    int i, count, rv = CLI_OK;

    if (peers == NULL || peers->type != MNET_ARRAY || mnet_count(peers) > PEERS_MAX) {
        return bad(import, target->host->site->wwwroot, "it has no list of peers");
    }
    target->peers = apr_array_make(import->cli->pool, mnet_count(peers) + 1, sizeof(incoming_t));
    for (i = 0; rv == CLI_OK && i < mnet_count(peers); i++) {
        rv = read_peer(import, target->host, mnet_item(peers, i), apr_array_push(target->peers));
    }
    if (rv == CLI_OK && import->with_keys) {
        rv = cli_import_keys(import->cli, target->host, mnet_get(target->site, "keys"), 0, &count);
    }
    return rv;
}

static int read_document(const import_t *import, mnet_value_t **document)
{
    const char *format, *why;
    apr_int64_t version = 0;
    apr_size_t len;
    char *text;
    int rv = cli_read_file(import->cli, import->file, FILE_MAX, &text, &len);

    if (rv != CLI_OK) {
        return rv;
    }
    if (mnet_value_from_json(text, len, document, &why, import->cli->pool) != APR_SUCCESS) {
        return cli_fail(import->cli, "state", "%s is no JSON: %s", import->file, why);
    }
    format = mnet_as_text(mnet_get(*document, "format"), import->cli->pool);
    if (format == NULL || strcmp(format, TRANSFER_FORMAT) != 0) {
        return cli_fail(import->cli, "state", "%s is not what `mnetctl export` writes",
                        import->file);
    }
    if (!mnet_as_int(mnet_get(*document, "version"), &version) || version != TRANSFER_VERSION) {
        return cli_fail(import->cli, "state",
                        "%s is of version %" APR_INT64_T_FMT ", this mnetctl reads %d: use the "
                        "mnetctl that is as new as the one that wrote it",
                        import->file, version, TRANSFER_VERSION);
    }
    return CLI_OK;
}

/* The sites of the file, each with our site of that wwwroot; with -w that one alone. */
static int find_targets(const import_t *import, const mnet_value_t *document,
                        apr_array_header_t **targets)
{
    cli_t *cli = import->cli;
    const mnet_value_t *sites = mnet_get(document, "sites");
    int i;

    *targets = apr_array_make(cli->pool, 2, sizeof(target_t));
    for (i = 0; i < mnet_count(sites); i++) {
        const mnet_value_t *site = mnet_item(sites, i);
        const char *wwwroot = mnet_as_text(mnet_get(site, "wwwroot"), cli->pool);
        mnet_host_t *host = mnet_engine_host(cli->engine, wwwroot);
        target_t *target;

        if (wwwroot == NULL || (cli->wwwroot != NULL && strcmp(cli->wwwroot, wwwroot) != 0)) {
            continue;
        }
        if (host == NULL) {
            return cli_fail(cli, "state",
                            "the file has the site %s, which is none of ours: give a virtual host "
                            "that MnetWwwroot and start httpd once; nothing was imported",
                            wwwroot);
        }
        target = apr_array_push(*targets);
        target->host = host;
        target->site = site;
        target->peers = NULL;
    }
    return (*targets)->nelts > 0 ? CLI_OK
                                 : cli_fail(cli, "state", "%s has no site %s", import->file,
                                            cli->wwwroot != NULL ? cli->wwwroot : "at all");
}

/* --- writing --- */

/* A mnet_peer_change_fn. */
static apr_status_t write_incoming(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    const incoming_t *incoming = baton;

    state->facts = incoming->facts;
    state->trust = incoming->trust;
    state->certificate = incoming->certificate;
    state->config_sha256 = NULL;
    state->previous = incoming->previous;
    state->pending = incoming->pending;
    state->pending_why = incoming->pending_why;
    state->methods = incoming->methods;
    return APR_SUCCESS;
}

static int is_known(const import_t *import, mnet_host_t *host, const char *wwwroot, int *known)
{
    const mnet_peer_t *peer;
    mnet_txn_t *txn;
    apr_status_t rv = mnet_txn_begin(host->engine->store, MNET_READ, &txn, import->cli->pool);

    if (rv == APR_SUCCESS) {
        rv = mnet_peers_find(host->peers, txn, wwwroot, &peer, import->cli->pool);
        *known = rv == APR_SUCCESS && peer->certificate != NULL;
        mnet_txn_abort(txn);
    }
    return rv == APR_SUCCESS || rv == APR_NOTFOUND
               ? CLI_OK
               : cli_fail_rv(import->cli, rv, "the peers cannot be read");
}

static int write_target(import_t *import, const target_t *target)
{
    int i, known = 0, rv = CLI_OK;

    for (i = 0; rv == CLI_OK && i < target->peers->nelts; i++) {
        incoming_t *incoming = &APR_ARRAY_IDX(target->peers, i, incoming_t);
        const char *wwwroot = incoming->facts->wwwroot;
        apr_status_t status;

        rv = is_known(import, target->host, wwwroot, &known);
        if (rv == CLI_OK && known && !import->replace) {
            cli_say(import->cli, "%s is known already: left as it is (--replace)", wwwroot);
            import->skipped++;
            continue;
        }
        if (rv != CLI_OK) {
            return rv;
        }
        status = mnet_peers_change(target->host->peers, wwwroot, write_incoming, incoming,
                                   import->cli->pool);
        if (status != APR_SUCCESS) {
            return cli_fail_rv(import->cli, status, "%s could not be written; %d were before it",
                               wwwroot, import->written);
        }
        cli_say(import->cli, "%s", wwwroot);
        import->written++;
    }
    return rv;
}

static int import_target(import_t *import, const target_t *target)
{
    const mnet_value_t *keys = mnet_get(target->site, "keys");
    int count = 0, rv = CLI_OK;

    if (mnet_count(keys) > 0 && !import->with_keys) {
        import->keys_left += mnet_count(keys);
    } else if (mnet_count(keys) > 0) {
        rv = cli_import_keys(import->cli, target->host, keys, 1, &count);
        import->keys += count;
    }
    return rv == CLI_OK ? write_target(import, target) : rv;
}

static int imported(const import_t *import)
{
    const cli_t *cli = import->cli;
    mnet_value_t *answer = mnet_struct(cli->pool);

    if (import->keys_left > 0) {
        cli_warn(cli, "the file holds %d private keys, which were left: --with-keys takes them",
                 import->keys_left);
    }
    mnet_set(answer, "imported", mnet_int(import->written, cli->pool));
    mnet_set(answer, "skipped", mnet_int(import->skipped, cli->pool));
    mnet_set(answer, "keys", mnet_int(import->keys, cli->pool));
    if (cli->json) {
        return cli_document(cli, answer);
    }
    cli_say(cli, "peers imported: %d; left as they were: %d; keys taken over: %d", import->written,
            import->skipped, import->keys);
    return CLI_OK;
}

int cli_import(cli_t *cli)
{
    import_t import = {.cli = cli,
                       .file = cli_arg(cli, 0),
                       .replace = cli_option(cli, "--replace") != NULL,
                       .with_keys = cli_option(cli, "--with-keys") != NULL};
    apr_array_header_t *targets = NULL, *hosts;
    mnet_value_t *document;
    int i, rv = cli_sites(cli, &hosts);

    if (rv == CLI_OK) {
        rv = read_document(&import, &document);
    }
    if (rv == CLI_OK) {
        rv = find_targets(&import, document, &targets);
    }
    for (i = 0; rv == CLI_OK && i < targets->nelts; i++) {
        rv = read_target(&import, &APR_ARRAY_IDX(targets, i, target_t));
    }
    for (i = 0; rv == CLI_OK && i < targets->nelts; i++) {
        rv = import_target(&import, &APR_ARRAY_IDX(targets, i, target_t));
    }
    return rv == CLI_OK ? imported(&import) : rv;
}
