/* SPDX-License-Identifier: Apache-2.0 */

/* Packages that leave: mnetctl portfolio. */
#include "cli/cli.h"

#include <string.h>

#include <apr_strings.h>

#include "base/status.h"
#include "base/text.h"
#include "portfolio/out.h"

#define LOOK_EVERY   (200 * 1000)
#define SAY_EVERY    apr_time_from_sec(2)
#define LINGER       apr_time_from_sec(10) /* for a peer that only queued it */
#define LIST_DEFAULT 50
#define LIST_MAX     1000000

static const cli_option_t send_options[] = {
    {"--user", "NAME"},  {"--peer", "URL"},      {"--format", "F"},
    {"--wait", NULL},    {"--again", NULL},      {"--direct", NULL},
    {"--package", NULL}, {"--patience", "TIME"}, {NULL, NULL}};
static const cli_option_t list_options[] = {
    {"--peer", "URL"}, {"--user", "NAME"}, {"--max", "N"}, {NULL, NULL}};

static const char *size_text(const cli_t *cli, apr_off_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double number = (double)size;
    int unit = 0;

    while (number >= 1024 && unit < 4) {
        number /= 1024;
        unit++;
    }
    return apr_psprintf(cli->pool, unit ? "%.1f %s" : "%.0f %s", number, units[unit]);
}

/* --- waiting --- */

typedef struct waiting_t {
    cli_t *cli;
    mnet_host_t *host;
    const char *id;
    mnet_out_t *out;
    mnet_queue_item_t *item; /* NULL: not in the queue any more */
    mnet_queue_progress_t progress;
    const char *shown; /* the last line */
    apr_time_t said;
    apr_time_t until;   /* 0: as long as it takes */
    apr_time_t offered; /* since when the peer has queued it; 0: it has not */
} waiting_t;

static apr_status_t look(waiting_t *waiting, apr_pool_t *pool)
{
    mnet_out_t *out = NULL;
    apr_status_t rv = mnet_out_look(waiting->host, waiting->id, &out, pool);

    if (!rv && !out) {
        rv = APR_NOTFOUND;
    }
    waiting->out = rv ? waiting->out : out;
    memset(&waiting->progress, 0, sizeof(waiting->progress));
    waiting->item = NULL;
    if (!rv) {
        rv = mnet_queue_look(waiting->host, waiting->id, &waiting->item, &waiting->progress, pool);
        rv = APR_STATUS_IS_NOTFOUND(rv) ? APR_SUCCESS : rv;
    }
    return rv;
}

static int is_over(const waiting_t *waiting)
{
    return (waiting->out->state != MNET_OUT_STATE_QUEUED &&
            waiting->out->state != MNET_OUT_STATE_OFFERED) ||
           (waiting->item && waiting->item->state == MNET_QUEUE_PARKED);
}

/* How things stand, in a line; changes of it are shown at once, progress now and then. */
static const char *line_of(const waiting_t *waiting, int *progress, apr_pool_t *pool)
{
    const cli_t *cli = waiting->cli;
    const mnet_queue_progress_t *seen = &waiting->progress;

    *progress = 0;
    if (seen->total > 0 && !waiting->out->fetched) {
        *progress = 1;
        return apr_psprintf(pool, "  sent %3d %%  (%s of %s)",
                            (int)(100.0 * (double)seen->done / (double)seen->total),
                            size_text(cli, seen->done), size_text(cli, seen->total));
    }
    if (waiting->out->state == MNET_OUT_STATE_OFFERED) {
        return waiting->until
                   ? "  the peer has queued it, and fetches it when it likes"
                   : "  the peer has queued it, and fetches it when it likes: waiting 10 "
                     "seconds for that";
    }
    if (waiting->item && waiting->item->reason && waiting->item->state == MNET_QUEUE_WAITING) {
        return apr_psprintf(pool, "  %s; it is tried again %s",
                            cli_clean(cli, waiting->item->reason),
                            cli_date(cli, waiting->item->due));
    }
    return NULL;
}

static void show(waiting_t *waiting, apr_time_t now, apr_pool_t *pool)
{
    int progress;
    const char *line = line_of(waiting, &progress, pool);

    if (!line || (waiting->shown && !strcmp(waiting->shown, line)) ||
        (progress && now - waiting->said < SAY_EVERY)) {
        return;
    }
    waiting->shown = apr_pstrdup(waiting->cli->pool, line);
    waiting->said = now;
    cli_say(waiting->cli, "%s", line);
}

/* Has it been waited for long enough?  A peer that queued it says no more, perhaps for hours. */
static int is_enough(waiting_t *waiting, apr_time_t now)
{
    if (waiting->out->state != MNET_OUT_STATE_OFFERED) {
        waiting->offered = 0;
    } else if (!waiting->offered) {
        waiting->offered = now;
    }
    return waiting->until ? now > waiting->until
                          : waiting->offered && now - waiting->offered > LINGER;
}

/* Until it is over, or patience is.  CLI_FAILED after saying that it cannot be looked at. */
static int wait_for(waiting_t *waiting)
{
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create(&pool, waiting->cli->pool);
    int over = 0;

    while (!rv && !over) {
        apr_time_t now = apr_time_now();

        apr_pool_clear(pool);
        rv = look(waiting, pool);
        if (rv) {
            break;
        }
        over = is_over(waiting) || is_enough(waiting, now);
        show(waiting, now, pool);
        if (!over) {
            apr_sleep(LOOK_EVERY);
        }
    }
    rv = rv ? rv : look(waiting, waiting->cli->pool);
    return rv ? cli_fail_rv(waiting->cli, rv, "the transfer cannot be looked at") : CLI_OK;
}

/* --- send --- */

/* Nothing is left to do here: when it fetches is the peer's affair. */
static int say_offered(const waiting_t *waiting)
{
    const cli_t *cli = waiting->cli;
    int rv = CLI_OK;

    cli_warn(cli,
             "%s has queued it and fetches it when it likes, which can take it hours: `mnetctl "
             "portfolio list` shows when it is delivered",
             waiting->out->peer);
    if (cli->json) {
        rv = cli_document(cli, mnet_out_value(waiting->host, waiting->out, cli->pool));
    }
    return rv == CLI_OK ? CLI_PENDING : rv;
}

static int say_waited(waiting_t *waiting)
{
    cli_t *cli = waiting->cli;
    const mnet_out_t *out = waiting->out;
    const char *reason = waiting->item && waiting->item->reason ? waiting->item->reason : NULL;

    if (out->state == MNET_OUT_STATE_DELIVERED) {
        cli_say(cli, "  delivered; the user finds it by %s",
                cli_clean(cli, mnet_out_continue_url(waiting->host, out, cli->pool)));
        return cli->json ? cli_document(cli, mnet_out_value(waiting->host, out, cli->pool))
                         : CLI_OK;
    }
    if (out->state == MNET_OUT_STATE_OFFERED && !is_over(waiting)) {
        return say_offered(waiting);
    }
    if (!is_over(waiting)) {
        return cli_fail(cli, "peer", "it is still on its way (%s)%s%s: `mnetctl queue show %s`",
                        mnet_out_state_name(out->state), reason ? ": " : "", reason ? reason : "",
                        out->id);
    }
    return cli_fail(cli, "peer", "it was not delivered (%s)%s%s",
                    reason ? "parked" : mnet_out_state_name(out->state), reason ? ": " : "",
                    reason ? reason : "");
}

static int say_sent(cli_t *cli, mnet_host_t *host, const mnet_out_sending_t *sending)
{
    const mnet_out_t *out = sending->out;

    cli_say(cli, "%s (%d %s, %s) for %s is queued for %s as %s", cli_clean(cli, out->title),
            out->count, out->count == 1 ? "file" : "files", size_text(cli, out->size),
            cli_clean(cli, out->user), out->peer, out->id);
    if (sending->postponed) {
        cli_warn(cli, "%s; it is asked again later", sending->postponed);
    }
    cli_say(cli, "  for an account there, the user goes there and back by %s",
            cli_clean(cli, mnet_out_jump_url(host, out->peer, cli->pool)));
    return CLI_OK;
}

static int not_sent(cli_t *cli, const mnet_out_sending_t *sending)
{
    cli_fail(cli, sending->kind ? sending->kind : "state", "%s%s", sending->why,
             sending->earlier ? "; --again sends it once more" : "");
    return sending->kind && !strcmp(sending->kind, "usage") ? CLI_USAGE : CLI_FAILED;
}

/* The same content again: a person is asked, a script is told. */
static apr_status_t send_or_ask(cli_t *cli, mnet_out_sending_t *sending)
{
    apr_status_t rv = mnet_out_send(sending, cli->pool);

    if (rv != MNET_E_EXISTS || cli->json || !cli_interactive()) {
        return rv;
    }
    cli_warn(cli, "%s", sending->why);
    if (!cli_ask(cli, "Send it once more?")) {
        return rv;
    }
    sending->again = 1;
    sending->why = sending->kind = NULL;
    return mnet_out_send(sending, cli->pool);
}

static int read_patience(cli_t *cli, waiting_t *waiting)
{
    const char *text = cli_option(cli, "--patience");
    apr_interval_time_t time;

    if (text && (mnet_parse_time(text, &time) || time <= 0)) {
        cli_fail(cli, "usage", "--patience takes a time, as 30s or 5m");
        return CLI_USAGE;
    }
    waiting->until = text ? apr_time_now() + time : 0;
    return CLI_OK;
}

static int send_files(cli_t *cli)
{
    mnet_out_sending_t sending = {.peer = cli_option(cli, "--peer"),
                                  .user = cli_option(cli, "--user"),
                                  .paths = cli->args,
                                  .format = cli_option(cli, "--format"),
                                  .package = cli_option(cli, "--package") != NULL,
                                  .wait = cli_option(cli, "--wait") != NULL,
                                  .direct = cli_option(cli, "--direct") != NULL,
                                  .again = cli_option(cli, "--again") != NULL,
                                  .now = apr_time_now()};
    waiting_t waiting = {.cli = cli};
    int rv = read_patience(cli, &waiting);

    if (rv == CLI_OK && (!sending.peer || !sending.user)) {
        cli_fail(cli, "usage", "say to whom, by --peer URL and --user NAME");
        rv = CLI_USAGE;
    }
    rv = rv != CLI_OK ? rv : cli_site(cli, &sending.host);
    if (rv != CLI_OK) {
        return rv;
    }
    if (send_or_ask(cli, &sending)) {
        return not_sent(cli, &sending);
    }
    rv = say_sent(cli, sending.host, &sending);
    if (!sending.wait || rv != CLI_OK) {
        return cli->json ? cli_document(cli, mnet_out_value(sending.host, sending.out, cli->pool))
                         : rv;
    }
    waiting.out = sending.out;
    waiting.host = sending.host;
    waiting.id = sending.out->id;
    rv = wait_for(&waiting);
    return rv == CLI_OK ? say_waited(&waiting) : rv;
}

/* --- list --- */

static void list_text(const cli_t *cli, const apr_array_header_t *list)
{
    cli_table_t *table = cli_table(cli, 7);

    if (list->nelts == 0) {
        cli_say(cli, "  nothing was sent");
        return;
    }
    cli_row(table, "ID", "USER", "PEER", "WHAT", "SIZE", "SENT", "STATE", NULL);
    for (int i = 0; i < list->nelts; i++) {
        const mnet_out_t *out = APR_ARRAY_IDX(list, i, const mnet_out_t *);

        cli_row(table, out->id, cli_clean(cli, out->user), out->peer, cli_clean(cli, out->title),
                size_text(cli, out->size), cli_date(cli, out->created),
                mnet_out_state_name(out->state), NULL);
    }
    cli_table_print(cli, table, 2);
}

static apr_status_t find_sent(const cli_t *cli, mnet_host_t *host, int max,
                              apr_array_header_t **found)
{
    return mnet_out_list(host, cli_option(cli, "--peer"), cli_option(cli, "--user"), max, found,
                         cli->pool);
}

static mnet_value_t *sent_value(const cli_t *cli, const mnet_host_t *host, const void *one)
{
    return mnet_out_value(host, one, cli->pool);
}

static int list(cli_t *cli)
{
    static const cli_listing_t sent = {"sent", "what was sent cannot be read", find_sent, list_text,
                                       sent_value};

    return cli_list(cli, &sent, LIST_DEFAULT, LIST_MAX);
}

const cli_command_t cli_portfolio_commands[] = {
    {.group = "portfolio",
     .name = "send",
     .run = send_files,
     .least = 1,
     .most = -1,
     .options = send_options,
     .usage = "FILE... --user NAME --peer URL [--format F] [--wait]",
     .summary = "Send files or folders to the portfolio of a user at a peer.",
     .help = "The peer is asked at once whether it takes something for that user, who must have\n"
             "an account there: the link that is printed takes them there and back.  What is\n"
             "sent is packed below MnetPortfolioDir and kept until the peer has it, or\n"
             "MnetPortfolioExpire is over; httpd tells the peer, once and again while it is down\n"
             "(`mnetctl queue`).  Once this command says that it is queued, it is on disk.\n\n"
             "--format F    file, image, video, text, plainhtml, richhtml, pdf, ..., leap2a, or a\n"
             "              MIME type; by default it follows from the files.  The peer is told\n"
             "              \"leap2a\" or \"file\".\n"
             "--wait        the peer should fetch it at once; waits, and shows how far it is.  A\n"
             "              peer that only queues it is waited for ten seconds more.\n"
             "--patience T  with --wait: at most that long (30s, 5m), whatever the peer says.\n"
             "--again       although the same content was sent to the same user there before.\n"
             "--direct      by a location for a plain GET instead of fetch_file.\n"
             "--package     FILE is a zip, and is sent as it is.\n\n"
             "A folder is sent with all that is in it, but for hidden files and links.\n\n"
             "Exit status, with --wait: 0 delivered; 1 not accepted, or not delivered (in time);\n"
             "3 the peer has queued it.\n\n"
             "Example: mnetctl portfolio send essay.pdf --user alice \\\n"
             "             --peer https://mahara.example.org --wait"},
    {.group = "portfolio",
     .name = "list",
     .run = list,
     .least = 0,
     .most = 0,
     .options = list_options,
     .usage = "[--peer URL] [--user NAME] [--max N]",
     .summary = "Show what was sent, newest first.",
     .help = "States: queued (the peer is to be told), offered (it was told, and will fetch),\n"
             "delivered, dropped, expired."},
    {NULL}};
