/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger's things are called, and what is wrong with a text. */
#include "school/ledger_int.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "trust/site.h"

static const char *const roles[] = {"", "student", "teacher"};
static const char *const statuses[] = {"", "active", "withdrawn", "withdrawn failing", "passed"};

int mnet_same(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

const char *mnet_or_null(const char *text)
{
    return text && *text ? text : NULL;
}

const char *mnet_role_name(int role)
{
    return role >= MNET_ROLE_STUDENT && role <= MNET_ROLE_TEACHER ? roles[role] : "";
}

int mnet_role_of(const char *name)
{
    for (int i = MNET_ROLE_STUDENT; name && i <= MNET_ROLE_TEACHER; i++) {
        if (!strcmp(name, roles[i])) {
            return i;
        }
    }
    return 0;
}

const char *mnet_status_name(int status)
{
    return status >= MNET_STATUS_ACTIVE && status <= MNET_STATUS_PASSED ? statuses[status] : "";
}

int mnet_status_of(const char *name)
{
    char plain[32];
    apr_size_t len = name ? strnlen(name, sizeof(plain)) : 0;

    if (!len || len == sizeof(plain)) {
        return 0;
    }
    for (apr_size_t i = 0; i <= len; i++) {
        plain[i] = name[i] == '_' || name[i] == '-' ? ' ' : name[i];
    }
    if (!strcmp(plain, "withdrawn without grade")) {
        return MNET_STATUS_WITHDRAWN;
    }
    for (int i = MNET_STATUS_ACTIVE; i <= MNET_STATUS_PASSED; i++) {
        if (!strcmp(plain, statuses[i])) {
            return i;
        }
    }
    return 0;
}

const char *mnet_ledger_text_problem(const char *text, int characters)
{
    apr_size_t len = strnlen(text, 4 * (apr_size_t)characters + 1);
    int count = 0;
    unsigned int code;

    if (len > 4 * (apr_size_t)characters) {
        return "it is too long";
    }
    while (len) {
        int n = mnet_utf8_next(text, len, &code);

        if (n < 1) {
            return "it is not UTF-8";
        }
        if (code < 0x20 || (code >= 0x7F && code < 0xA0)) {
            return "it has a control character in it";
        }
        text += n;
        len -= (apr_size_t)n;
        count++;
    }
    return count > characters ? "it is too long" : NULL;
}

const char *mnet_person_field(const mnet_person_t *person, const char *name)
{
    const char *value = mnet_attribute_find(person->fields, name);

    for (int i = 0; (!value || !*value) && i < person->logins->nelts; i++) {
        value =
            mnet_attribute_find(APR_ARRAY_IDX(person->logins, i, mnet_login_name_t).fields, name);
    }
    return value;
}

const char *mnet_person_username(const mnet_person_t *person)
{
    return person->logins->nelts ? APR_ARRAY_IDX(person->logins, 0, mnet_login_name_t).username
                                 : NULL;
}

const char *mnet_person_name(const mnet_person_t *person, apr_pool_t *pool)
{
    const char *first = mnet_person_field(person, "firstname");
    const char *last = mnet_person_field(person, "lastname");
    const char *name =
        apr_pstrcat(pool, first ? first : "", first && *first && last && *last ? " " : "",
                    last ? last : "", NULL);

    return *name ? name : mnet_person_id(person, pool);
}

const char *mnet_person_id(const mnet_person_t *person, apr_pool_t *pool)
{
    const mnet_login_name_t *login;

    if (person->idnumber) {
        return person->idnumber;
    }
    if (!person->logins->nelts) {
        return apr_psprintf(pool, "#%" APR_INT64_T_FMT, person->id);
    }
    login = &APR_ARRAY_IDX(person->logins, 0, mnet_login_name_t);
    return apr_pstrcat(pool, login->username, "@", mnet_wwwroot_bare(login->peer), NULL);
}

const mnet_link_t *mnet_link_of(const apr_array_header_t *links, const char *peer)
{
    for (int i = 0; i < links->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(links, i, mnet_link_t).peer, peer)) {
            return &APR_ARRAY_IDX(links, i, mnet_link_t);
        }
    }
    return NULL;
}

static const char *id_of(const char *idnumber, const apr_array_header_t *links, apr_int64_t id,
                         apr_pool_t *pool)
{
    for (int i = 0; !idnumber && i < links->nelts; i++) {
        idnumber = APR_ARRAY_IDX(links, i, mnet_link_t).idnumber;
    }
    return idnumber ? idnumber : apr_psprintf(pool, "#%" APR_INT64_T_FMT, id);
}

const char *mnet_section_id(const mnet_section_t *section, apr_pool_t *pool)
{
    return id_of(section->idnumber, section->links, section->id, pool);
}

const char *mnet_item_id(const mnet_item_t *item, apr_pool_t *pool)
{
    return id_of(item->idnumber, item->links, item->id, pool);
}

const char *mnet_mark_words(const mnet_mark_t *mark, apr_pool_t *pool)
{
    if (mark->source) {
        return mnet_wwwroot_bare(mark->source);
    }
    return mark->by ? apr_pstrcat(pool, "by hand (", mark->by, ")", NULL) : "by hand";
}
