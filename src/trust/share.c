/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/share.h"

#include <string.h>

#include "base/status.h"

#define GROUP    "replay-use"
#define VERSION  1
#define ID       8
#define NUMBER   8
#define HEAD     (1 + NUMBER) /* version, what stays */
#define STEPS    15           /* at least, of the time that something is counted */
#define STEP_MIN apr_time_from_sec(60)
#define PAGE     4096
#define NAME     100 /* of a record and of what finds it */
#define GOING    64  /* enough for the usual times of calls, packages and sessions */

typedef struct going_t {
    apr_time_t until;
    apr_int64_t bytes;
} going_t;

/* In memory.  going: by until. */
typedef struct account_t {
    apr_int64_t stays;
    going_t going[GOING + 1];
    int count;
} account_t;

static void write_number(unsigned char out[NUMBER], apr_int64_t number)
{
    for (int i = 0; i < NUMBER; i++) {
        out[i] = (unsigned char)((apr_uint64_t)number >> (56 - 8 * i));
    }
}

static apr_int64_t read_number(const unsigned char in[NUMBER])
{
    apr_uint64_t number = 0;

    for (int i = 0; i < NUMBER; i++) {
        number = number << 8 | in[i];
    }
    return (apr_int64_t)number;
}

/* Of two counts, neither below 0. */
static apr_int64_t add(apr_int64_t a, apr_int64_t b)
{
    return b > APR_INT64_MAX - a ? APR_INT64_MAX : a + b;
}

/* What is damaged counts for nothing: it is begun anew. */
static void decode(account_t *account, const unsigned char *at, apr_size_t len, apr_time_t now)
{
    apr_int64_t stays = len >= HEAD ? read_number(at + 1) : 0;

    account->stays = stays > 0 ? stays : 0;
    for (apr_size_t from = HEAD; from + 2 * NUMBER <= len; from += 2 * NUMBER) {
        going_t going = {read_number(at + from), read_number(at + from + NUMBER)};

        if (going.until >= now && going.bytes > 0 && account->count < GOING) {
            account->going[account->count++] = going;
        }
    }
}

static apr_status_t load(mnet_txn_t *txn, const unsigned char id[ID], apr_time_t now,
                         account_t *account)
{
    const void *data;
    apr_size_t len;
    apr_status_t rv = mnet_txn_get(txn, GROUP, id, ID, &data, &len);

    account->stays = 0;
    account->count = 0;
    if (rv) {
        return APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    if (len && *(const unsigned char *)data > VERSION) {
        return MNET_E_VERSION;
    }
    decode(account, data, len, now);
    return APR_SUCCESS;
}

static apr_status_t save(mnet_txn_t *txn, const unsigned char id[ID], const account_t *account)
{
    unsigned char value[HEAD + GOING * 2 * NUMBER];
    apr_size_t len = HEAD;

    value[0] = VERSION;
    write_number(value + 1, account->stays);
    for (int i = 0; i < account->count; i++, len += 2 * NUMBER) {
        write_number(value + len, account->going[i].until);
        write_number(value + len + NUMBER, account->going[i].bytes);
    }
    return mnet_txn_put(txn, GROUP, id, ID, value, len);
}

/* --- what goes by itself --- */

/*
 * To a multiple of a step, the later the longer, and each twice the one before: what is rounded
 * again when there is less time left stays where it is.  Otherwise a site that always has something
 * new would put the end of what is old off for ever.
 */
static apr_time_t rounded(apr_time_t until, apr_time_t now, int steps)
{
    apr_interval_time_t step = STEP_MIN, over;

    while (step <= (until - now) / steps / 2) {
        step *= 2;
    }
    over = until % step;
    return !over ? until : until > APR_INT64_MAX - step ? APR_INT64_MAX : until - over + step;
}

/* Fewer, which are counted a little longer. */
static void coarsen(account_t *account, apr_time_t now, int steps)
{
    going_t *going = account->going;
    int count = 0;

    for (int i = 0; i < account->count; i++) {
        apr_time_t until = rounded(going[i].until, now, steps);

        if (count && going[count - 1].until >= until) {
            going[count - 1].bytes = add(going[count - 1].bytes, going[i].bytes);
        } else {
            going[count++] = (going_t){until, going[i].bytes};
        }
    }
    account->count = count;
}

static void go(account_t *account, apr_int64_t bytes, apr_time_t now, apr_time_t until)
{
    going_t *going = account->going;
    int at = 0;

    until = rounded(until, now, STEPS);
    while (at < account->count && going[at].until < until) {
        at++;
    }
    if (at < account->count && going[at].until == until) {
        going[at].bytes = add(going[at].bytes, bytes);
        return;
    }
    memmove(going + at + 1, going + at, sizeof(*going) * (apr_size_t)(account->count - at));
    going[at] = (going_t){until, bytes};
    account->count++;
    for (int steps = STEPS / 2; account->count > GOING && steps; steps /= 2) {
        coarsen(account, now, steps);
    }
    if (account->count > GOING) { /* the first is counted for as long as the second */
        going[1].bytes = add(going[0].bytes, going[1].bytes);
        memmove(going, going + 1, sizeof(*going) * (apr_size_t)--account->count);
    }
}

/* It was counted to that time or a little longer, with what was as late. */
static void gone(account_t *account, apr_int64_t bytes, apr_time_t until)
{
    int count = 0;

    for (int i = 0; i < account->count; i++) {
        going_t going = account->going[i];
        apr_int64_t of_it = going.until < until ? 0 : going.bytes < bytes ? going.bytes : bytes;

        bytes -= of_it;
        going.bytes -= of_it;
        if (going.bytes) {
            account->going[count++] = going;
        }
    }
    account->count = count;
}

/* --- the share --- */

static apr_int64_t sum(const account_t *account)
{
    apr_int64_t used = account->stays;

    for (int i = 0; i < account->count; i++) {
        used = add(used, account->going[i].bytes);
    }
    return used;
}

/* A store that does not say how much room it has is not bounded here. */
static apr_status_t most_of(mnet_txn_t *txn, apr_int64_t *most)
{
    apr_off_t used, usable, left;
    apr_status_t rv = mnet_txn_room(txn, &used, &usable);

    *most = APR_INT64_MAX;
    if (rv) {
        return rv == APR_ENOTIMPL ? APR_SUCCESS : rv;
    }
    left = usable > used ? usable - used : 0;
    if (mnet_txn_kind(txn) == MNET_WRITE_END || mnet_txn_kind(txn) == MNET_WRITE_WORK) {
        left = usable; /* what ends something makes room */
    }
    *most = usable / MNET_SHARE_PARTS < left ? usable / MNET_SHARE_PARTS : left;
    return APR_SUCCESS;
}

static apr_status_t check(mnet_txn_t *txn, const account_t *account, mnet_share_e whose,
                          apr_int64_t bytes)
{
    apr_int64_t most;
    apr_status_t rv = most_of(txn, &most);

    if (rv) {
        return rv;
    }
    most = most < APR_INT64_MAX / MNET_SHARE_ENDS ? most * whose / MNET_SHARE_CALLS : most;
    return add(sum(account), bytes) > most ? MNET_E_SHARE : APR_SUCCESS;
}

apr_status_t mnet_share_take(mnet_txn_t *txn, apr_uint64_t peer, mnet_share_e whose,
                             apr_int64_t bytes, apr_time_t now, apr_time_t until)
{
    unsigned char id[ID];
    account_t account;
    apr_status_t rv;

    if (bytes < 0 || now < 0) {
        return MNET_E_INVALID;
    }
    if (until <= now || !bytes) {
        return APR_SUCCESS;
    }
    write_number(id, (apr_int64_t)peer);
    rv = load(txn, id, now, &account);
    rv = rv ? rv : check(txn, &account, whose, bytes);
    if (rv) {
        return rv;
    }
    go(&account, bytes, now, until);
    return save(txn, id, &account);
}

apr_status_t mnet_share_give(mnet_txn_t *txn, apr_uint64_t peer, apr_int64_t bytes, apr_time_t now,
                             apr_time_t until)
{
    unsigned char id[ID];
    account_t account;
    apr_status_t rv;

    if (until <= now || bytes <= 0) {
        return APR_SUCCESS; /* it went by itself */
    }
    write_number(id, (apr_int64_t)peer);
    rv = load(txn, id, now, &account);
    if (rv || !account.count) {
        return rv == MNET_E_VERSION ? APR_SUCCESS : rv; /* no reason not to end what ends */
    }
    gone(&account, bytes, until);
    return save(txn, id, &account);
}

apr_status_t mnet_share_keep(mnet_txn_t *txn, apr_uint64_t peer, mnet_share_e whose,
                             apr_int64_t bytes, apr_time_t now)
{
    unsigned char id[ID];
    account_t account;
    apr_status_t rv;

    if (!bytes) {
        return APR_SUCCESS;
    }
    write_number(id, (apr_int64_t)peer);
    rv = load(txn, id, now, &account);
    rv = rv || bytes < 0 ? rv : check(txn, &account, whose, bytes);
    if (rv) {
        return rv;
    }
    if (bytes < 0) {
        account.stays = account.stays > -bytes ? account.stays + bytes : 0;
    } else {
        account.stays = add(account.stays, bytes);
    }
    return save(txn, id, &account);
}

apr_int64_t mnet_share_of(apr_size_t len)
{
    if (!len) {
        return 0;
    }
    /* A short one shares pages, which are two thirds full; a long one has its own. */
    return len < PAGE / 2 ? (apr_int64_t)(len + NAME) * 3 / 2
                          : (apr_int64_t)((len / PAGE + 1) * PAGE + NAME);
}

apr_status_t mnet_share_look(mnet_txn_t *txn, apr_uint64_t peer, apr_time_t now,
                             mnet_share_t *share)
{
    unsigned char id[ID];
    account_t account;
    apr_status_t rv;

    share->used = share->most = 0;
    write_number(id, (apr_int64_t)peer);
    rv = load(txn, id, now, &account);
    rv = rv ? rv : most_of(txn, &share->most);
    share->used = rv ? 0 : sum(&account);
    return rv;
}
