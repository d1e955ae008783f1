/* SPDX-License-Identifier: Apache-2.0 */
#ifndef T_UNIT_SSO_WORLD_H
#define T_UNIT_SSO_WORLD_H

/*
 * The two sites of world.h, joined for sign-on both ways: a user of a's jumps, and lands at b.
 */

#include "world.h"

#include "service/account.h"
#include "service/jump_int.h"
#include "service/land.h"
#include "service/logout.h"
#include "service/sso_int.h"

#define BROWSER "Mozilla/5.0 (X11; Linux x86_64) Test/1"
#define MINUTE  apr_time_from_sec(60)
#define HOUR    apr_time_from_sec(3600)

static inline apr_array_header_t *texts(const char *text)
{
    apr_array_header_t *list = apr_array_make(world->pool, 4, sizeof(const char *));
    char *copy = apr_pstrdup(world->pool, text), *state, *word;

    for (word = apr_strtok(copy, " ", &state); word; word = apr_strtok(NULL, " ", &state)) {
        APR_ARRAY_PUSH(list, const char *) = word;
    }
    return list;
}

typedef struct services_t {
    const char *wwwroot, *publish, *subscribe;
} services_t;

static inline apr_status_t set_services(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    const services_t *services = baton;
    mnet_peer_facts_t *facts =
        mnet_peer_facts_merge(state->facts, mnet_peer_facts_create(services->wwwroot, pool), pool);
    apr_array_header_t *names = texts(services->subscribe);
    apr_array_header_t *subscribe = apr_array_make(pool, 4, sizeof(mnet_subscription_t));

    for (int i = 0; i < names->nelts; i++) {
        APR_ARRAY_PUSH(subscribe, mnet_subscription_t) =
            (mnet_subscription_t){APR_ARRAY_IDX(names, i, const char *), NULL};
    }
    facts->publish = texts(services->publish);
    facts->subscribe = subscribe;
    state->facts = facts;
    return APR_SUCCESS;
}

/* What at publishes to of, and subscribes to there. */
static inline void serve(place_t *at, const char *of, const char *publish, const char *subscribe)
{
    services_t services = {of, publish, subscribe};

    assert_int_equal(mnet_peers_change(at->host->peers, of, set_services, &services, world->pool),
                     0);
}

static inline apr_status_t set_access(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_merge(state->facts, NULL, pool);
    apr_array_header_t *access = apr_array_make(pool, 1, sizeof(mnet_access_t));

    APR_ARRAY_PUSH(access, mnet_access_t) = (mnet_access_t){0, baton};
    facts->access = access;
    state->facts = facts;
    return APR_SUCCESS;
}

static inline void deny(place_t *at, place_t *of, const char *user)
{
    assert_int_equal(
        mnet_peers_change(at->host->peers, of->wwwroot, set_access, (void *)user, world->pool), 0);
}

static inline apr_status_t set_inactive(void *baton, mnet_peer_state_t *state, apr_pool_t *pool)
{
    mnet_peer_facts_t *facts = mnet_peer_facts_merge(state->facts, NULL, pool);

    facts->active = 0;
    state->facts = facts;
    return APR_SUCCESS;
}

static inline void disable(place_t *at, const char *of)
{
    assert_int_equal(mnet_peers_change(at->host->peers, of, set_inactive, NULL, world->pool), 0);
}

static inline int sso_setup(void **state)
{
    int rv = world_setup(state);

    assert_int_equal(mnet_service_sso_idp(world->registry), 0);
    assert_int_equal(mnet_service_sso_sp(world->registry), 0);
    serve(&world->a, world->b.wwwroot, "sso_idp sso_sp test", "sso_idp sso_sp test");
    serve(&world->b, world->a.wwwroot, "sso_idp sso_sp test", "sso_idp sso_sp test");
    return rv;
}

/* A third site, which nothing that is sent reaches. */
static inline void add_third(place_t *at, place_t *third, const char *wwwroot)
{
    if (!third->host) {
        open_place(third, wwwroot, "moodle");
    }
    world_join(at, third, "moodle", 1);
    serve(at, wwwroot, "sso_idp sso_sp", "sso_idp sso_sp");
}

/* --- attributes --- */

static inline void attribute(apr_array_header_t *list, const char *name, const char *value)
{
    APR_ARRAY_PUSH(list, mnet_attribute_t) = (mnet_attribute_t){name, value};
}

static inline apr_array_header_t *profile(void)
{
    apr_array_header_t *list = apr_array_make(world->pool, 4, sizeof(mnet_attribute_t));

    attribute(list, "firstname", "Alice");
    attribute(list, "lastname", "\xc3\x85ngstr\xc3\xb6m");
    attribute(list, "email", "alice@example.org");
    return list;
}

/* --- jump and land --- */

static inline mnet_jumping_t jump_from(place_t *at, const char *username, const char *to)
{
    mnet_jumping_t jumping = {.host = at->host,
                              .username = username,
                              .attributes = profile(),
                              .hostwwwroot = to,
                              .user_agent = BROWSER,
                              .id = "jump-id",
                              .now = apr_time_now()};

    return jumping;
}

/* The value of a parameter of a URL, decoded; NULL: it has none of that name. */
static inline const char *parameter(const char *url, const char *name)
{
    const char *at = strchr(url, '?');
    apr_size_t len = strlen(name);

    for (; at; at = strchr(at, '&')) {
        at++;
        if (!strncmp(at, name, len) && at[len] == '=') {
            const char *from = at + len + 1;
            char *out = apr_palloc(world->pool, strlen(from) + 1), *to = out;

            for (; *from && *from != '&'; from++) {
                unsigned int code;

                if (*from == '%' && sscanf(from + 1, "%2x", &code) == 1) {
                    *to++ = (char)code;
                    from += 2;
                } else {
                    *to++ = *from;
                }
            }
            *to = '\0';
            return out;
        }
    }
    return NULL;
}

/* A token by which a user of at's may land at to; as the jump page makes it. */
static inline const char *token_for(place_t *at, const char *username, place_t *to)
{
    mnet_jumping_t jumping = jump_from(at, username, to->wwwroot);

    mnet_jump(&jumping, world->pool);
    assert_int_equal(jumping.status, 303);
    return parameter(jumping.location, "token");
}

static inline mnet_landing_t land_at(place_t *at, const char *token, const char *idp)
{
    mnet_landing_t landing = {.host = at->host,
                              .token = token,
                              .idp = idp,
                              .user_agent = BROWSER,
                              .address = "192.0.2.7",
                              .id = "land-id",
                              .now = apr_time_now()};

    return landing;
}

/* From a to b, as a browser would go; the id of the session. */
static inline const char *sign_on(place_t *from, const char *username, place_t *to)
{
    mnet_landing_t landing = land_at(to, token_for(from, username, to), from->wwwroot);

    mnet_land(&landing, world->pool);
    assert_int_equal(landing.status, 303);
    assert_non_null(landing.session);
    return landing.session;
}

static inline const char *browser_hash(place_t *at)
{
    return mnet_user_agent_hash(at->host, BROWSER, world->pool);
}

/* A session without a landing. */
static inline const char *session_at(place_t *at, const char *peer, const char *username,
                                     apr_time_t now)
{
    mnet_session_t session = {.peer = peer,
                              .username = username,
                              .attributes = profile(),
                              .user_agent = browser_hash(at)};
    const char *id = NULL;

    assert_int_equal(mnet_session_create(at->host, &session, now, &id, world->pool), 0);
    return id;
}

static inline int has_session(place_t *at, const char *id, apr_time_t now)
{
    const mnet_session_t *session;

    return mnet_session_find(at->host, id, now, &session, world->pool) == APR_SUCCESS;
}

static inline int count_children(place_t *at, const char *user)
{
    apr_array_header_t *children;

    assert_int_equal(mnet_children_list(at->host, user, NULL, &children, world->pool), 0);
    return children->nelts;
}

/* --- calls --- */

static inline mnet_reply_t *call_values(place_t *from, place_t *to, const char *method,
                                        mnet_value_t *first, mnet_value_t *second)
{
    apr_array_header_t *params = apr_array_make(world->pool, 2, sizeof(mnet_value_t *));
    mnet_outgoing_t call = {
        .host = from->host, .peer = to->wwwroot, .method = method, .params = params};
    mnet_reply_t *reply = NULL;

    if (first) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = first;
    }
    if (second) {
        APR_ARRAY_PUSH(params, mnet_value_t *) = second;
    }
    mnet_client_call(&call, &reply, world->pool);
    assert_non_null(reply);
    return reply;
}

static inline mnet_reply_t *call_texts(place_t *from, place_t *to, const char *method,
                                       const char *first, const char *second)
{
    return call_values(from, to, method, first ? mnet_string(first, world->pool) : NULL,
                       second ? mnet_string(second, world->pool) : NULL);
}

#define IDP(name) "auth/mnet/auth.php/" name

#endif
