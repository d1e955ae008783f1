/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_CLI_CLI_H
#define MNET_CLI_CLI_H

/*
 * mnetctl: what its commands share.  A command answers mnetctl's exit status.  What was asked for
 * goes to standard output, as aligned text or as one JSON document; trouble goes to standard error
 * as a sentence with the mend, or with --json to standard output as
 * {"error": {"kind": ..., "code": N, "message": TEXT}}.
 */

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/log.h"
#include "rpc/client.h"
#include "rpc/engine.h"
#include "trust/share.h"
#include "wire/value.h"

#define CLI_OK      0
#define CLI_FAILED  1
#define CLI_USAGE   2
#define CLI_PENDING 3 /* it is the peer's turn now, whenever that is */

struct cli_command_t;

typedef struct cli_t {
    apr_pool_t *pool;
    const char *state_dir;
    const char *wwwroot; /* -w, or NULL */
    int json;
    int help;
    mnet_log_t log;
    const struct cli_command_t *command;
    apr_table_t *options;     /* of the command: "--name" to its value, "" for a flag */
    apr_array_header_t *args; /* const char * */
    mnet_engine_t *engine;    /* after cli_open */
} cli_t;

/* An option of one command, besides the general ones. */
typedef struct cli_option_t {
    const char *name;  /* "--application" */
    const char *value; /* what help calls its value: "NAME"; NULL: a flag */
} cli_option_t;

typedef struct cli_command_t {
    const char *group, *name; /* "peers", "add"; name is NULL for a group of one command */
    int (*run)(cli_t *cli);
    int least, most;             /* arguments; most < 0: any number */
    const cli_option_t *options; /* up to a NULL name; may be NULL */
    int dashes;                  /* "-word" is an argument ("-sso_idp" takes a service away) */
    const char *usage;           /* what follows the name */
    const char *summary;         /* half a line */
    const char *help;            /* paragraphs, in lines of up to 78 characters */
} cli_command_t;

/* The tables of the command groups, each up to a NULL group; the first of a group is what the bare
 * name of the group runs. */
extern const cli_command_t cli_keys_commands[];
extern const cli_command_t cli_peers_commands[];
extern const cli_command_t cli_add_commands[];   /* peers add */
extern const cli_command_t cli_trust_commands[]; /* peers verify, confirm */
extern const cli_command_t cli_call_commands[];
extern const cli_command_t cli_doctor_commands[];
extern const cli_command_t cli_transfer_commands[];
extern const cli_command_t cli_sessions_commands[];
extern const cli_command_t cli_queue_commands[];
extern const cli_command_t cli_portfolio_commands[];

/* --- options.c --- */

/*
 * Takes the command line apart: general options (-d DIR, -w WWWROOT, -v, --json, -h, --help) may
 * stand anywhere before "--"; the rest belongs to the command named by the first words, which is
 * looked up in tables (up to NULL).  Answers CLI_OK with cli->command set, or NULL for a bare help
 * (args: what to explain); else CLI_USAGE after saying what was wrong.
 */
int cli_parse(cli_t *cli, const cli_command_t *const *tables, int argc, const char *const *argv);
/* The value of an option of the command; NULL: not given. */
const char *cli_option(const cli_t *cli, const char *name);
/* What --max says, or the usual; CLI_USAGE after saying that it is not from 1 to most. */
int cli_max(const cli_t *cli, int usual, int most, int *max);
/* The index-th argument, or NULL. */
const char *cli_arg(const cli_t *cli, int index);
/* The help of everything, of a group, or of one command. */
int cli_help(cli_t *cli, const cli_command_t *const *tables, const char *group, const char *name);

/* --- open.c --- */

/*
 * Opens the state directory.  CLI_OK, or CLI_FAILED after saying why; it makes no store where
 * none is.
 */
int cli_open(cli_t *cli);
/* As cli_open without a word: NULL, or what is wrong. */
const char *cli_open_problem(cli_t *cli);
/* The site that -w names, or the only one.  Opens first. */
int cli_site(cli_t *cli, mnet_host_t **host);
/* The sites to show: that of -w, or all: mnet_host_t *.  Opens first. */
int cli_sites(cli_t *cli, apr_array_header_t **hosts);
/* The peer that the argument at index names; says so if there is none. */
int cli_peer(cli_t *cli, mnet_host_t *host, int index, const mnet_peer_t **peer);
/* Every peer of a site: const mnet_peer_t *. */
int cli_peers(cli_t *cli, mnet_host_t *host, apr_array_header_t **list);
/* A site's keys; *ring is NULL if none was made yet. */
int cli_ring(cli_t *cli, mnet_host_t *host, const mnet_ring_t **ring);

/* --- output.c --- */

/* Trouble of a kind ("state", "peer", "usage", or mnet_call_kind_name's); answers CLI_FAILED. */
int cli_fail(const cli_t *cli, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a status: its English name follows the sentence. */
int cli_fail_rv(const cli_t *cli, apr_status_t rv, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What a peer's reply says if it is no answer: CLI_OK without a word for MNET_CALL_OK. */
int cli_fail_reply(const cli_t *cli, const mnet_reply_t *reply);
/* {"kind": ..., "code": N, "message": TEXT} of such a reply. */
mnet_value_t *cli_reply_value(const cli_t *cli, const mnet_reply_t *reply);
/* A line on standard error, also with --json. */
void cli_warn(const cli_t *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line on standard output, not with --json. */
void cli_say(const cli_t *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* With --json: the value as the document of the answer.  CLI_FAILED if it cannot be written. */
int cli_document(const cli_t *cli, const mnet_value_t *value);
/* A value as text for people: a list as "- item", a struct as "name: value". */
int cli_value(const cli_t *cli, const mnet_value_t *value);
/* Text from outside, fit for a terminal: control characters as \xNN.  NULL gives "-". */
const char *cli_clean(const cli_t *cli, const char *text);

/* A table: rows of as many texts as it has columns. */
typedef struct cli_table_t {
    int columns;
    apr_array_header_t *cells; /* const char * */
} cli_table_t;
cli_table_t *cli_table(const cli_t *cli, int columns);
void cli_row_of(cli_table_t *table, const char *const *cells);
#define cli_row(table, ...) cli_row_of(table, (const char *const[]){__VA_ARGS__})
void cli_table_print(const cli_t *cli, const cli_table_t *table, int indent);

/* "yes" on the terminal?  0 without a terminal. */
int cli_ask(const cli_t *cli, const char *question);
int cli_interactive(void);

/* --- shared pieces --- */

/* A date, or "-" for none. */
const char *cli_date(const cli_t *cli, apr_time_t when);
mnet_value_t *cli_date_value(const cli_t *cli, apr_time_t when);
/* A list of texts as one line, "-" if it is empty. */
const char *cli_join(const cli_t *cli, const apr_array_header_t *texts);
/* "sso_idp", or "NAME=PATTERN,PATTERN" */
const char *cli_subscription(const cli_t *cli, const mnet_subscription_t *subscription);
/* mnet_subscription_t of facts as such texts: const char * */
apr_array_header_t *cli_subscriptions(const cli_t *cli, const apr_array_header_t *subscribe);
mnet_value_t *cli_texts_value(const cli_t *cli, const apr_array_header_t *texts);
mnet_value_t *cli_text_or_nil(const cli_t *cli, const char *text);
/* "confirmed", "rotated", ... */
const char *cli_trust_name(mnet_trust_e trust);
const char *cli_tls_name(int tls);         /* "verify", ...; -1: "verify" */
const char *cli_charset_name(int charset); /* "auto", ...; -1: "auto" */
/* What a certificate is, in lines for people (came: how it came, or NULL), and as a value. */
void cli_certificate(const cli_t *cli, const mnet_certificate_t *certificate, const char *came);
mnet_value_t *cli_certificate_value(const cli_t *cli, const mnet_certificate_t *certificate);
mnet_certificate_t *cli_certificate_read(const cli_t *cli, const char *pem);
/* Reads a whole file of at most max bytes ("-": standard input), NUL-terminated. */
int cli_read_file(const cli_t *cli, const char *path, apr_size_t max, char **text, apr_size_t *len);

/* "12M" */
const char *cli_bytes(const cli_t *cli, apr_int64_t n);
/* A peer's share of the store, as it is now. */
apr_status_t cli_peer_share(const cli_t *cli, const mnet_peer_t *peer, mnet_share_t *share);
/* Everything known of a peer. */
mnet_value_t *cli_peer_value(const cli_t *cli, const mnet_peer_t *peer);

/* --- trust.c --- */

/*
 * Is this certificate to be trusted?  *yes: by --yes, by --fingerprint or by an answer on the
 * terminal.  CLI_FAILED after saying that the fingerprint given is another one's.
 */
int cli_decide(const cli_t *cli, const mnet_certificate_t *certificate, int *yes);
/* The certificate a peer gives by a bare keyswap, read and checked against its wwwroot. */
int cli_fetch(cli_t *cli, mnet_host_t *host, const mnet_peer_facts_t *facts,
              mnet_certificate_t **certificate, int *verified);
/* How it came, in words. */
const char *cli_channel(int verified);

/* --- add.c --- */

/* What is wrong with an endpoint, or NULL. */
const char *cli_endpoint_problem(const cli_t *cli, const char *endpoint);

/* --- services.c --- */

/*
 * Services from the command line: names replace the list, "+name" and "-name" change it.  now: the
 * list there is; *list: the new one.  CLI_USAGE after saying what was wrong.
 */
int cli_publish_list(const cli_t *cli, const apr_array_header_t *words,
                     const apr_array_header_t *now, apr_array_header_t **list);
int cli_subscribe_list(const cli_t *cli, const apr_array_header_t *words,
                       const apr_array_header_t *now, apr_array_header_t **list);
/* "a,b c" as words; a comma followed by a pattern stays with its NAME=. */
apr_array_header_t *cli_words(const cli_t *cli, const char *text);

/* --- listing.c --- */

/* A list of each site's, the newest first. */
typedef struct cli_listing_t {
    const char *member;  /* of {"sites": [{"wwwroot": ..., MEMBER: [...]}]} */
    const char *trouble; /* a sentence, should find fail */
    /* max of them, at most: pointers */
    apr_status_t (*find)(const cli_t *cli, mnet_host_t *host, int max, apr_array_header_t **found);
    void (*text)(const cli_t *cli, const apr_array_header_t *found);
    mnet_value_t *(*value)(const cli_t *cli, const mnet_host_t *host, const void *one);
} cli_listing_t;

/* Those of --max, or the usual number, of every site to show. */
int cli_list(cli_t *cli, const cli_listing_t *listing, int usual, int most);

#endif
