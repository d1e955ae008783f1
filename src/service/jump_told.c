/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer is told of a user, in what it has room for. */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "service/account.h"
#include "service/jump_int.h"

#define ATTRIBUTES_MAX 100

typedef enum {
    ROOM_NAME,   /* one too long is cut: a user with half a name is better off than none */
    ROOM_EMAIL,  /* half an address is another's */
    ROOM_SPARED, /* nobody needs it: one too long stays here */
    ROOM_LETTERS /* as one spared, and of just so many letters */
} room_e;

/*
 * The columns of a Moodle's table of users, in characters: its database refuses the whole user for
 * one value that is longer.  A Mahara has no less room, but for the country.
 */
static const struct {
    const char *name;
    apr_size_t characters;
    room_e room;
} rooms[] = {
    {"firstname", 100, ROOM_NAME},        {"lastname", 100, ROOM_NAME},
    {"email", 100, ROOM_EMAIL},           {"firstnamephonetic", 255, ROOM_NAME},
    {"lastnamephonetic", 255, ROOM_NAME}, {"middlename", 255, ROOM_NAME},
    {"alternatename", 255, ROOM_NAME},    {"city", 120, ROOM_SPARED},
    {"country", 2, ROOM_LETTERS},         {"lang", 30, ROOM_SPARED},
    {"timezone", 100, ROOM_SPARED},       {"idnumber", 255, ROOM_SPARED},
    {"institution", 255, ROOM_SPARED},    {"department", 255, ROOM_SPARED},
    {"phone1", 20, ROOM_SPARED},          {"phone2", 20, ROOM_SPARED},
    {"address", 255, ROOM_SPARED},        {"url", 255, ROOM_SPARED},
};

/* Names that user_authorise gives a meaning of its own. */
static int is_reserved(const char *name)
{
    static const char *const reserved[] = {
        "username", "auth",     "wwwroot", "session.gc_maxlifetime",
        "myhosts",  "password", "deleted", "id"};

    for (apr_size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (!strcmp(name, reserved[i])) {
            return 1;
        }
    }
    return 0;
}

static int attribute_ok(const mnet_attribute_t *one)
{
    apr_size_t len = one->name ? strlen(one->name) : 0;

    return len && len <= 64 && one->value && *one->value && !is_reserved(one->name) &&
           strspn(one->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
               len &&
           strlen(one->value) <= MNET_FIELD_MAX && mnet_is_utf8(one->value, strlen(one->value));
}

static int has_text(const char *value)
{
    return value && value[strspn(value, " \t\r\n")];
}

static int are_letters(const char *value, apr_size_t count)
{
    for (apr_size_t i = 0; i < count; i++) {
        if (!apr_isalpha(value[i])) {
            return 0;
        }
    }
    return !value[count];
}

/* One name more of a list for people; *list may be NULL. */
static void note(const char **list, const char *name, apr_pool_t *pool)
{
    *list = *list ? apr_pstrcat(pool, *list, ", ", name, NULL) : name;
}

/* Is it told, perhaps in part? */
static int fit(mnet_attribute_t *one, mnet_told_t *told, apr_pool_t *pool)
{
    apr_size_t len = strlen(one->value), fits = len;
    room_e room = ROOM_SPARED;

    for (apr_size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        if (!strcmp(one->name, rooms[i].name)) {
            room = rooms[i].room;
            fits = mnet_utf8_fit(one->value, len, rooms[i].characters);
            if (room == ROOM_LETTERS && !are_letters(one->value, rooms[i].characters)) {
                fits = 0;
            }
        }
    }
    if (fits == len) {
        return 1;
    }
    if (room == ROOM_NAME) {
        one->value = apr_pstrmemdup(pool, one->value, fits);
        note(&told->cut, one->name, pool);
        return 1;
    }
    note(room == ROOM_EMAIL ? &told->too_long : &told->left_out, one->name, pool);
    return 0;
}

void mnet_jump_told(const apr_array_header_t *given, mnet_told_t *told, apr_pool_t *pool)
{
    static const char *const needed[] = {"firstname", "lastname", "email"};

    *told = (mnet_told_t){apr_array_make(pool, 8, sizeof(mnet_attribute_t))};
    for (int i = 0; given && i < given->nelts && told->attributes->nelts < ATTRIBUTES_MAX; i++) {
        mnet_attribute_t one = APR_ARRAY_IDX(given, i, mnet_attribute_t);

        if (attribute_ok(&one) && !mnet_attribute_find(told->attributes, one.name) &&
            fit(&one, told, pool)) {
            APR_ARRAY_PUSH(told->attributes, mnet_attribute_t) = one;
        }
    }
    for (apr_size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!has_text(mnet_attribute_find(told->attributes, needed[i]))) {
            note(&told->lacks, needed[i], pool);
        }
    }
}
