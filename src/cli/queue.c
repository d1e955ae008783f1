/* SPDX-License-Identifier: Apache-2.0 */

/* What there is to do for the portfolio, and what failed. */
#include "cli/cli.h"

#include <string.h>

#include <apr_strings.h>

#include "base/status.h"
#include "portfolio/queue.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000000
#define ID_SHOWN     16 /* digits in a table: enough to name one by */

static const cli_option_t list_options[] = {
    {"--peer", "URL"}, {"--state", "STATE"}, {"--max", "N"}, {NULL, NULL}};
static const cli_option_t pick_options[] = {
    {"--peer", "URL"}, {"--parked", NULL}, {"--all", NULL}, {NULL, NULL}};

static const char *const state_names[] = {"waiting", "running", "parked", "damaged"};
#define STATES 4

/* --- which --- */

/* One item, and whose site it is. */
typedef struct picked_t {
    mnet_host_t *host;
    mnet_queue_item_t *item;
} picked_t;

/* Ids may be cut short as the list shows them. */
static int check_ids(const cli_t *cli)
{
    int i;

    for (i = 0; i < cli->args->nelts; i++) {
        apr_size_t len = strlen(cli_arg(cli, i));

        if (len < ID_SHOWN || len > MNET_QUEUE_ID ||
            strspn(cli_arg(cli, i), "0123456789abcdef") != len) {
            cli_fail(cli, "usage", "%s is no id of an item: they have %d to %d digits",
                     cli_clean(cli, cli_arg(cli, i)), ID_SHOWN, MNET_QUEUE_ID);
            return CLI_USAGE;
        }
    }
    return CLI_OK;
}

static int has_id(const cli_t *cli, const mnet_queue_item_t *item)
{
    int i;

    for (i = 0; i < cli->args->nelts; i++) {
        if (strncmp(item->id, cli_arg(cli, i), strlen(cli_arg(cli, i))) == 0) {
            return 1;
        }
    }
    return cli->args->nelts == 0;
}

/* Those that arguments and options name, in every site: picked_t. */
static int pick(cli_t *cli, apr_array_header_t **picked)
{
    apr_array_header_t *hosts, *items;
    int parked = cli_option(cli, "--parked") != NULL;
    int i, k, rv = check_ids(cli);

    *picked = apr_array_make(cli->pool, 8, sizeof(picked_t));
    rv = rv != CLI_OK ? rv : cli_sites(cli, &hosts);
    for (i = 0; rv == CLI_OK && i < hosts->nelts; i++) {
        mnet_host_t *host = APR_ARRAY_IDX(hosts, i, mnet_host_t *);
        apr_status_t status =
            mnet_queue_list(host, cli_option(cli, "--peer"), 0, &items, cli->pool);

        if (status != APR_SUCCESS) {
            return cli_fail_rv(cli, status, "the queue cannot be read");
        }
        for (k = 0; k < items->nelts; k++) {
            mnet_queue_item_t *item = APR_ARRAY_IDX(items, k, mnet_queue_item_t *);

            if (has_id(cli, item) && (!parked || item->state == MNET_QUEUE_PARKED)) {
                APR_ARRAY_PUSH(*picked, picked_t) = (picked_t){host, item};
            }
        }
    }
    if (rv == CLI_OK && (*picked)->nelts == 0 && cli->args->nelts > 0) {
        return cli_fail(cli, "state", "there is no such item: `mnetctl queue list` shows all");
    }
    return rv;
}

/* The item that the one argument names. */
static int pick_one(cli_t *cli, picked_t *one)
{
    apr_array_header_t *picked;
    int rv = pick(cli, &picked);

    if (rv == CLI_OK && picked->nelts != 1) {
        return cli_fail(cli, "state", "%d items begin so; give more digits", picked->nelts);
    }
    if (rv == CLI_OK) {
        *one = APR_ARRAY_IDX(picked, 0, picked_t);
    }
    return rv;
}

/* --- list --- */

static mnet_value_t *item_value(const cli_t *cli, const mnet_queue_item_t *item)
{
    mnet_value_t *value = mnet_struct(cli->pool);

    mnet_set(value, "id", mnet_string(item->id, cli->pool));
    mnet_set(value, "kind", mnet_string(item->kind, cli->pool));
    mnet_set(value, "state", mnet_string(state_names[item->state], cli->pool));
    mnet_set(value, "peer", mnet_string(item->peer, cli->pool));
    mnet_set(value, "user", cli_text_or_nil(cli, item->user));
    mnet_set(value, "title", cli_text_or_nil(cli, item->title));
    mnet_set(value, "created", cli_date_value(cli, item->created));
    mnet_set(value, "due", cli_date_value(cli, item->due));
    mnet_set(value, "attempts", mnet_int(item->attempts, cli->pool));
    mnet_set(value, "failed", cli_date_value(cli, item->failed));
    mnet_set(value, "reason", cli_text_or_nil(cli, item->reason));
    return value;
}

/* --state and --max.  CLI_USAGE after saying what is wrong; *state -1: any. */
static int read_list_options(const cli_t *cli, int *state, int *max)
{
    const char *text = cli_option(cli, "--state");

    *state = text != NULL ? STATES : -1;
    for (int i = 0; text != NULL && i < STATES; i++) {
        *state = strcmp(text, state_names[i]) == 0 ? i : *state;
    }
    if (*state == STATES) {
        cli_fail(cli, "usage", "--state takes waiting, running, parked or damaged");
        return CLI_USAGE;
    }
    return cli_max(cli, LIST_DEFAULT, LIST_MAX, max);
}

static void list_text(const cli_t *cli, const apr_array_header_t *items, int left_off)
{
    cli_table_t *table = cli_table(cli, 7);
    int i;

    if (items->nelts == 0) {
        cli_say(cli, "  nothing is to be done");
        return;
    }
    cli_row(table, "ID", "KIND", "STATE", "PEER", "USER", "DUE", "LAST FAILURE", NULL);
    for (i = 0; i < items->nelts; i++) {
        const mnet_queue_item_t *item = APR_ARRAY_IDX(items, i, const mnet_queue_item_t *);

        cli_row(table, apr_pstrndup(cli->pool, item->id, ID_SHOWN), cli_clean(cli, item->kind),
                state_names[item->state], item->peer, cli_clean(cli, item->user),
                cli_date(cli, item->due), cli_clean(cli, item->reason), NULL);
    }
    cli_table_print(cli, table, 2);
    if (left_off > 0) {
        cli_say(cli, "  and %d more; --max N shows more", left_off);
    }
}

static int list(cli_t *cli)
{
    mnet_value_t *outer = mnet_struct(cli->pool), *sites = mnet_array(cli->pool);
    apr_array_header_t *hosts, *all, *items;
    int i, k, state, max, rv = read_list_options(cli, &state, &max);

    rv = rv != CLI_OK ? rv : cli_sites(cli, &hosts);
    for (i = 0; rv == CLI_OK && i < hosts->nelts; i++) {
        mnet_host_t *host = APR_ARRAY_IDX(hosts, i, mnet_host_t *);
        mnet_value_t *site = mnet_struct(cli->pool), *values = mnet_array(cli->pool);
        apr_status_t status = mnet_queue_list(host, cli_option(cli, "--peer"), 0, &all, cli->pool);
        int found = 0;

        if (status != APR_SUCCESS) {
            return cli_fail_rv(cli, status, "the queue cannot be read");
        }
        items = apr_array_make(cli->pool, 16, sizeof(mnet_queue_item_t *));
        for (k = 0; k < all->nelts; k++) {
            mnet_queue_item_t *item = APR_ARRAY_IDX(all, k, mnet_queue_item_t *);

            if ((state < 0 || item->state == state) && found++ < max) {
                APR_ARRAY_PUSH(items, mnet_queue_item_t *) = item;
                mnet_append(values, item_value(cli, item));
            }
        }
        cli_say(cli, "%s%s", i > 0 ? "\n" : "", host->site->wwwroot);
        if (!cli->json) {
            list_text(cli, items, found - items->nelts);
        }
        mnet_set(site, "wwwroot", mnet_string(host->site->wwwroot, cli->pool));
        mnet_set(site, "items", values);
        mnet_set(site, "found", mnet_int(found, cli->pool));
        mnet_append(sites, site);
    }
    mnet_set(outer, "sites", sites);
    return rv == CLI_OK && cli->json ? cli_document(cli, outer) : rv;
}

/* --- show --- */

static const char *bytes_text(const cli_t *cli, const mnet_queue_progress_t *progress)
{
    if (progress->total <= 0) {
        return apr_psprintf(cli->pool, "%" APR_OFF_T_FMT " bytes", progress->done);
    }
    return apr_psprintf(cli->pool, "%" APR_OFF_T_FMT " of %" APR_OFF_T_FMT " bytes (%d %%)",
                        progress->done, progress->total,
                        (int)((double)progress->done * 100 / (double)progress->total));
}

static void show_text(const cli_t *cli, const mnet_queue_item_t *item,
                      const mnet_queue_progress_t *progress)
{
    cli_table_t *table = cli_table(cli, 2);

    cli_row(table, "id", item->id, NULL);
    cli_row(table, "kind", cli_clean(cli, item->kind), NULL);
    cli_row(table, "state", state_names[item->state], NULL);
    cli_row(table, "peer", item->peer, NULL);
    cli_row(table, "user", cli_clean(cli, item->user), NULL);
    cli_row(table, "title", cli_clean(cli, item->title), NULL);
    cli_row(table, "created", cli_date(cli, item->created), NULL);
    cli_row(table,
            item->state == MNET_QUEUE_PARKED    ? "forgotten after"
            : item->state == MNET_QUEUE_RUNNING ? "lease until"
                                                : "tried again",
            cli_date(cli, item->due), NULL);
    cli_row(table, "attempts", apr_itoa(cli->pool, item->attempts), NULL);
    if (progress->when) {
        cli_row(table, "progress", bytes_text(cli, progress), NULL);
        cli_row(table, "as of", cli_date(cli, progress->when), NULL);
    }
    if (item->reason) {
        cli_row(table, "last failure", cli_clean(cli, item->reason), NULL);
        cli_row(table, "at", cli_date(cli, item->failed), NULL);
    }
    cli_table_print(cli, table, 0);
}

static int show(cli_t *cli)
{
    mnet_queue_progress_t progress;
    mnet_queue_item_t *item;
    mnet_value_t *value;
    picked_t one = {NULL, NULL};
    apr_status_t status;
    int rv = pick_one(cli, &one);

    if (rv != CLI_OK || one.item == NULL) {
        return rv;
    }
    if (one.item->state == MNET_QUEUE_DAMAGED) {
        return cli_fail(cli, "state",
                        "the record of %s cannot be read: `mnetctl queue drop %s` "
                        "removes it",
                        one.item->id, one.item->id);
    }
    status = mnet_queue_look(one.host, one.item->id, &item, &progress, cli->pool);
    if (status != APR_SUCCESS) {
        return cli_fail_rv(cli, status, "the item %s cannot be read", one.item->id);
    }
    if (!cli->json) {
        show_text(cli, item, &progress);
        return CLI_OK;
    }
    value = item_value(cli, item);
    if (progress.when) {
        mnet_value_t *bytes = mnet_struct(cli->pool);

        mnet_set(bytes, "done", mnet_int(progress.done, cli->pool));
        mnet_set(bytes, "total", mnet_int(progress.total, cli->pool));
        mnet_set(bytes, "when", cli_date_value(cli, progress.when));
        mnet_set(value, "progress", bytes);
    }
    return cli_document(cli, value);
}

/* --- retry, drop --- */

static int say_count(const cli_t *cli, const char *name, int count)
{
    mnet_value_t *answer = mnet_struct(cli->pool);

    cli_say(cli, "%s: %d", name, count);
    mnet_set(answer, name, mnet_int(count, cli->pool));
    return cli->json ? cli_document(cli, answer) : CLI_OK;
}

static int check_which(const cli_t *cli)
{
    if (cli->args->nelts == 0 && cli_option(cli, "--peer") == NULL &&
        cli_option(cli, "--parked") == NULL && cli_option(cli, "--all") == NULL) {
        cli_fail(cli, "usage",
                 "say which: ids as `mnetctl queue list` shows them, --parked, --peer or --all");
        return CLI_USAGE;
    }
    return CLI_OK;
}

static int retry(cli_t *cli)
{
    apr_array_header_t *picked;
    int i, done = 0, running = 0, rv = check_which(cli);

    rv = rv != CLI_OK ? rv : pick(cli, &picked);
    for (i = 0; rv == CLI_OK && i < picked->nelts; i++) {
        const picked_t *one = &APR_ARRAY_IDX(picked, i, picked_t);
        apr_status_t status = mnet_queue_retry(one->host, one->item->id, apr_time_now(), cli->pool);

        done += status == APR_SUCCESS;
        running += status == MNET_E_BUSY;
        if (status != APR_SUCCESS && status != MNET_E_BUSY && !APR_STATUS_IS_NOTFOUND(status)) {
            return cli_fail_rv(cli, status, "%d are tried again, then", done);
        }
    }
    if (rv == CLI_OK && running > 0 && done == 0) {
        return cli_fail(cli, "state", "it is running just now");
    }
    return rv == CLI_OK ? say_count(cli, "retried", done) : rv;
}

static apr_status_t drop_one(const cli_t *cli, const picked_t *one)
{
    mnet_txn_t *txn;
    apr_status_t status = mnet_txn_begin(cli->engine->store, MNET_WRITE_WORK, &txn, cli->pool);

    if (status != APR_SUCCESS) {
        return status;
    }
    status = mnet_queue_drop(one->host, txn, one->item->id, cli->pool);
    status = status != APR_SUCCESS ? status : mnet_txn_commit(txn);
    mnet_txn_abort(txn);
    return status;
}

static int drop(cli_t *cli)
{
    apr_array_header_t *picked;
    int i, done = 0, rv = check_which(cli);

    rv = rv != CLI_OK ? rv : pick(cli, &picked);
    for (i = 0; rv == CLI_OK && i < picked->nelts; i++) {
        apr_status_t status = drop_one(cli, &APR_ARRAY_IDX(picked, i, picked_t));

        done += status == APR_SUCCESS;
        if (status != APR_SUCCESS && !APR_STATUS_IS_NOTFOUND(status)) {
            return cli_fail_rv(cli, status, "%d are dropped, then", done);
        }
    }
    return rv == CLI_OK ? say_count(cli, "dropped", done) : rv;
}

const cli_command_t cli_queue_commands[] = {
    {.group = "queue",
     .name = "list",
     .run = list,
     .options = list_options,
     .usage = "[--peer URL] [--state waiting|running|parked|damaged] [--max N]",
     .summary = "What is to be done for the portfolio.",
     .help = "Shows the items of each site, or of the one that -w names, the one that is due\n"
             "first first.  fetch and get receive a package, ready and offered send one.  What\n"
             "fails is tried again after MnetPortfolioInterval, then after twice that, and so\n"
             "on; what keeps failing is parked, and forgotten after MnetPortfolioExpire."},
    {.group = "queue",
     .name = "show",
     .run = show,
     .least = 1,
     .most = 1,
     .usage = "ID",
     .summary = "One item, with the progress of its transfer.",
     .help = "ID may be cut short as the list shows it.  The bytes of a running transfer are\n"
             "at most a second old."},
    {.group = "queue",
     .name = "retry",
     .run = retry,
     .most = -1,
     .options = pick_options,
     .usage = "[ID...] [--parked] [--peer URL] [--all]",
     .summary = "Try items now, parked ones as well.",
     .help = "Their attempts are counted from the start.  A running server takes them up\n"
             "within a second or two."},
    {.group = "queue",
     .name = "drop",
     .run = drop,
     .most = -1,
     .options = pick_options,
     .usage = "[ID...] [--parked] [--peer URL] [--all]",
     .summary = "Give items up.",
     .help = "One that is running leaves off within a second or two.  What was received is\n"
             "removed by the running server, at the latest after a minute.  The peer is not\n"
             "told.  What has arrived already stays where it is."},
    {.group = NULL}};
