/* SPDX-License-Identifier: Apache-2.0 */

/* doctor: what is wrong, before a peer's users find out. */
#include "cli/doctor_int.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_user.h>
#include <curl/curl.h>
#include <openssl/crypto.h>

#include "base/status.h"
#include "wire/xml.h"

#define DAY  apr_time_from_sec(24 * 60 * 60)
#define SOON (14 * DAY)

/* --- the machine --- */

static apr_status_t no_element(void *baton, const char *name, const char *const *attributes)
{
    return APR_SUCCESS;
}

static apr_status_t no_text(void *baton, const char *data, apr_size_t len)
{
    return APR_SUCCESS;
}

static apr_status_t no_end(void *baton, const char *name)
{
    return APR_SUCCESS;
}

static apr_status_t parse(const cli_t *cli, const char *document)
{
    static const mnet_xml_handler_t handler = {no_element, no_text, no_end};
    mnet_xml_t *xml = mnet_xml_create(&handler, NULL, &mnet_xml_limits_stranger, cli->pool);
    apr_status_t rv = xml != NULL ? mnet_xml_write(xml, document, strlen(document)) : APR_ENOMEM;

    return rv == APR_SUCCESS ? mnet_xml_end(xml) : rv;
}

static void check_libraries(doctor_t *doctor)
{
    cli_t *cli = doctor->cli;
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    mnet_crypto_t *crypto;
    const char *why = "";

    if (mnet_crypto_create(&crypto, &why, cli->pool) == APR_SUCCESS) {
        doctor_find(doctor, DOCTOR_FINE, "OpenSSL",
                    apr_pstrcat(cli->pool, OpenSSL_version(OPENSSL_VERSION_STRING),
                                ", with RC4 from its legacy provider", NULL),
                    NULL);
    } else {
        doctor_find(doctor, DOCTOR_FAIL, "OpenSSL", why,
                    "install the package that has OpenSSL's legacy.so");
    }
    if (parse(cli, "<?xml version=\"1.0\"?><a>b</a>") == APR_SUCCESS &&
        parse(cli, "<!DOCTYPE a><a/>") == MNET_E_DOCTYPE) {
        doctor_find(doctor, DOCTOR_FINE, "libxml2", "reads XML and is kept from a DOCTYPE", NULL);
    } else {
        doctor_find(doctor, DOCTOR_FAIL, "libxml2", "does not read as it should",
                    "is another libxml2 in front of the system's?  see ldd `which mnetctl`");
    }
    if (curl->features & CURL_VERSION_SSL) {
        doctor_find(doctor, DOCTOR_FINE, "libcurl",
                    apr_pstrcat(cli->pool, curl->version, ", ", curl->ssl_version, NULL), NULL);
    } else {
        doctor_find(doctor, DOCTOR_FAIL, "libcurl", "has no TLS: no peer with https can be called",
                    "install a libcurl with TLS");
    }
}

static void check_clock(doctor_t *doctor)
{
    struct timex timex;

    memset(&timex, 0, sizeof(timex));
    if (adjtimex(&timex) < 0) {
        doctor_find(doctor, DOCTOR_WARN, "clock",
                    "the kernel does not tell whether it is synchronised",
                    "a Moodle refuses answers from a clock more than 15 s ahead of its own");
    } else if (timex.status & STA_UNSYNC) {
        doctor_find(
            doctor, DOCTOR_WARN, "clock", "the kernel says that nothing synchronises it",
            "run chrony or systemd-timesyncd, here or on the host of this virtual machine: a "
            "Moodle refuses answers from a clock more than 15 s ahead of its own");
    } else {
        doctor_find(doctor, DOCTOR_FINE, "clock", "synchronised", NULL);
    }
}

/* --- the state directory --- */

static const char *owner_name(const cli_t *cli, uid_t uid)
{
    char *name;

    return apr_uid_name_get(&name, uid, cli->pool) == APR_SUCCESS
               ? name
               : apr_psprintf(cli->pool, "user %lu", (unsigned long)uid);
}

/* A file of the store must be its directory's owner's, and nobody else's to read. */
static void check_file(doctor_t *doctor, const char *name, uid_t owner)
{
    const cli_t *cli = doctor->cli;
    const char *path = apr_pstrcat(cli->pool, cli->state_dir, "/", name, NULL);
    struct stat st;

    if (lstat(path, &st) != 0) {
        return;
    }
    if (st.st_uid != owner) {
        doctor_find(doctor, DOCTOR_FAIL, "state file",
                    apr_psprintf(cli->pool, "%s belongs to %s, its directory to %s", path,
                                 owner_name(cli, st.st_uid), owner_name(cli, owner)),
                    apr_psprintf(cli->pool, "chown --reference=%s %s", cli->state_dir, path));
    }
    if (S_ISREG(st.st_mode) && (st.st_mode & 077)) {
        doctor_find(doctor, DOCTOR_FAIL, "state file",
                    apr_psprintf(cli->pool, "others may read or write %s (mode %04o)", path,
                                 (unsigned int)(st.st_mode & 07777)),
                    apr_psprintf(cli->pool, "chmod 0600 %s", path));
    }
}

static void check_directory(doctor_t *doctor)
{
    const cli_t *cli = doctor->cli;
    struct stat st;
    const char *mode, *mend;

    if (stat(cli->state_dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return; /* cli_open_problem says it better */
    }
    mode = apr_psprintf(cli->pool, "%s belongs to %s, mode %04o", cli->state_dir,
                        owner_name(cli, st.st_uid), (unsigned int)(st.st_mode & 07777));
    mend = apr_psprintf(cli->pool, "chmod 0700 %s", cli->state_dir);
    if (st.st_mode & 027) {
        doctor_find(doctor, DOCTOR_FAIL, "state directory",
                    apr_pstrcat(cli->pool, mode, ": others may reach the private keys", NULL),
                    mend);
    } else if (st.st_mode & 050) {
        doctor_find(doctor, DOCTOR_WARN, "state directory",
                    apr_pstrcat(cli->pool, mode, ": its group may reach the private keys", NULL),
                    mend);
    } else if (st.st_uid == 0) {
        doctor_find(doctor, DOCTOR_WARN, "state directory", mode,
                    "httpd's User must own it: chown -R it, unless httpd runs as root here");
    } else {
        doctor_find(doctor, DOCTOR_FINE, "state directory", mode, NULL);
    }
    check_file(doctor, "data.mdb", st.st_uid);
    check_file(doctor, "lock.mdb", st.st_uid);
    check_file(doctor, "tmp", st.st_uid);
}

/* --- keys and peers --- */

static const char *days(const cli_t *cli, apr_time_t when, apr_time_t now)
{
    return apr_psprintf(cli->pool, "%" APR_INT64_T_FMT " days", (apr_int64_t)((when - now) / DAY));
}

static void check_keys(doctor_t *doctor, mnet_host_t *host, apr_time_t now)
{
    cli_t *cli = doctor->cli;
    const char *what = apr_pstrcat(cli->pool, "keys of ", host->site->wwwroot, NULL), *why = NULL;
    mnet_certificate_t *certificate;
    const mnet_ring_t *ring = NULL;
    mnet_txn_t *txn;
    char text[200];
    apr_status_t rv = mnet_txn_begin(cli->engine->store, MNET_READ, &txn, cli->pool);

    if (rv == APR_SUCCESS) {
        rv = mnet_keyring_get(host->keyring, txn, &ring, cli->pool);
        mnet_txn_abort(txn);
    }
    if (rv != APR_SUCCESS) {
        doctor_find(doctor, DOCTOR_FAIL, what,
                    rv == APR_NOTFOUND ? "there are none" : mnet_strerror(rv, text, sizeof(text)),
                    rv == APR_NOTFOUND ? "start httpd, or run `mnetctl keys rotate`"
                                       : "restore the state directory from a backup");
        return;
    }
    certificate = cli_certificate_read(cli, ring->pems[0]);
    why = certificate == NULL
              ? "the certificate cannot be read"
              : mnet_certificate_mismatch(certificate, host->site->wwwroot, cli->pool);
    if (why != NULL) {
        doctor_find(doctor, DOCTOR_FAIL, what, why, "run `mnetctl keys rotate`");
    } else if (ring->not_after[0] <= now) {
        doctor_find(
            doctor, DOCTOR_FAIL, what,
            apr_pstrcat(cli->pool, "the current key expired ", cli_date(cli, ring->not_after[0]),
                        NULL),
            "httpd replaces a key before it expires while it runs; `mnetctl keys rotate` does "
            "it now");
    } else if (certificate->not_before > now + DAY) {
        doctor_find(doctor, DOCTOR_FAIL, what,
                    apr_pstrcat(cli->pool, "the current key is valid only from ",
                                cli_date(cli, certificate->not_before), NULL),
                    "set this machine's clock");
    } else {
        doctor_find(doctor, DOCTOR_FINE, what,
                    apr_psprintf(cli->pool, "the current one until %s, in %s; %d old",
                                 cli_date(cli, ring->not_after[0]),
                                 days(cli, ring->not_after[0], now), ring->count - 1),
                    NULL);
    }
}

/* What there is to say of a certificate that is not as it should be. */
static void check_certificate(doctor_t *doctor, const mnet_peer_t *peer, apr_time_t now)
{
    const cli_t *cli = doctor->cli;
    const char *wwwroot = peer->facts->wwwroot;
    const char *what = apr_pstrcat(cli->pool, "peer ", wwwroot, NULL), *why;
    const mnet_certificate_t *certificate = peer->certificate;

    if (certificate == NULL) {
        if (peer->state->pending == NULL) {
            doctor_find(doctor, DOCTOR_FAIL, what,
                        "we have no certificate of it, so neither side can call",
                        apr_psprintf(cli->pool, "`mnetctl peers confirm %s` fetches it", wwwroot));
        }
        return;
    }
    why = mnet_certificate_mismatch(certificate, wwwroot, cli->pool);
    if (why != NULL) {
        doctor_find(
            doctor, DOCTOR_FAIL, what, why,
            apr_psprintf(cli->pool, "`mnetctl peers verify %s` shows what it has now", wwwroot));
    } else if (certificate->not_after <= now) {
        doctor_find(doctor, DOCTOR_WARN, what,
                    apr_pstrcat(cli->pool, "its certificate expired ",
                                cli_date(cli, certificate->not_after),
                                "; it will have a new one at its next use", NULL),
                    apr_psprintf(cli->pool, "`mnetctl ping %s` follows a rotation", wwwroot));
    } else if (certificate->not_after <= now + SOON) {
        doctor_find(
            doctor, DOCTOR_WARN, what,
            apr_psprintf(cli->pool, "its certificate expires %s, in %s",
                         cli_date(cli, certificate->not_after),
                         days(cli, certificate->not_after, now)),
            apr_psprintf(cli->pool,
                         "nothing now; `mnetctl ping %s` after that day follows its rotation",
                         wwwroot));
    }
}

/* One that has its share of the store is refused what changes something. */
static void check_share(doctor_t *doctor, const mnet_peer_t *peer)
{
    const cli_t *cli = doctor->cli;
    mnet_share_t share;

    if (cli_peer_share(cli, peer, &share) == APR_SUCCESS && share.used > share.most / 5 * 4) {
        doctor_find(doctor, DOCTOR_WARN,
                    apr_pstrcat(cli->pool, "peer ", peer->facts->wwwroot, NULL),
                    apr_psprintf(cli->pool,
                                 "the store has %s for its sake, of at most %s: with that, its "
                                 "calls that change something are refused",
                                 cli_bytes(cli, share.used), cli_bytes(cli, share.most)),
                    "if it is that busy, raise MnetStateSize; else ask its administrator why it "
                    "calls so often");
    }
}

static void check_peer(doctor_t *doctor, const mnet_peer_t *peer, apr_time_t now)
{
    const cli_t *cli = doctor->cli;
    const mnet_peer_facts_t *facts = peer->facts;
    const char *what = apr_pstrcat(cli->pool, "peer ", facts->wwwroot, NULL);
    int before = doctor->warnings + doctor->failures;

    if (facts->active == 0) {
        doctor_find(doctor, DOCTOR_FINE, what, "not active", NULL);
        return;
    }
    if (peer->application == NULL) {
        doctor_find(doctor, DOCTOR_FAIL, what, "its application is not known here",
                    "MnetDefineApplication says where an application has its scripts");
    }
    if (peer->state->pending != NULL) {
        doctor_find(doctor, DOCTOR_WARN, what,
                    apr_pstrcat(cli->pool, "a certificate waits to be confirmed: ",
                                cli_clean(cli, peer->state->pending_why), NULL),
                    apr_psprintf(cli->pool, "`mnetctl peers confirm %s`", facts->wwwroot));
    } else if (peer->state->trust == MNET_TRUST_KEYSWAP) {
        doctor_find(doctor, DOCTOR_WARN, what,
                    "nobody confirmed its certificate, taken on first contact",
                    apr_psprintf(cli->pool, "`mnetctl peers confirm %s`", facts->wwwroot));
    }
    check_certificate(doctor, peer, now);
    check_share(doctor, peer);
    if (strncmp(facts->wwwroot, "http:", 5) == 0) {
        doctor_find(doctor, DOCTOR_WARN, what, "plain http: what MNET itself encrypts with is weak",
                    "move the site to https");
    } else if (facts->tls == MNET_TLS_INSECURE) {
        doctor_find(doctor, DOCTOR_WARN, what, "its TLS certificate is not verified",
                    "a file of CA certificates in MnetPeerTLS or `peers add --tls` is as easy");
    }
    if (doctor->warnings + doctor->failures == before) {
        doctor_find(doctor, DOCTOR_FINE, what,
                    apr_psprintf(cli->pool, "certificate %s, until %s",
                                 cli_trust_name(peer->state->trust),
                                 cli_date(cli, peer->certificate->not_after)),
                    NULL);
    }
}

static void check_site(doctor_t *doctor, mnet_host_t *host, apr_time_t now)
{
    cli_t *cli = doctor->cli;
    apr_array_header_t *list;
    mnet_txn_t *txn;
    char text[200];
    apr_status_t rv;
    int i;

    check_keys(doctor, host, now);
    rv = mnet_txn_begin(cli->engine->store, MNET_READ, &txn, cli->pool);
    if (rv == APR_SUCCESS) {
        rv = mnet_peers_list(host->peers, txn, &list, cli->pool);
        mnet_txn_abort(txn);
    }
    if (rv != APR_SUCCESS) {
        doctor_find(
            doctor, DOCTOR_FAIL, apr_pstrcat(cli->pool, "peers of ", host->site->wwwroot, NULL),
            mnet_strerror(rv, text, sizeof(text)), "restore the state directory from a backup");
        return;
    }
    for (i = 0; i < list->nelts; i++) {
        check_peer(doctor, APR_ARRAY_IDX(list, i, const mnet_peer_t *), now);
    }
}

static void check_state(doctor_t *doctor)
{
    cli_t *cli = doctor->cli;
    const char *why = cli_open_problem(cli);
    int i;

    if (why != NULL) {
        doctor_find(doctor, DOCTOR_FAIL, "state", why, NULL);
        return;
    }
    doctor_find(doctor, DOCTOR_FINE, "state",
                apr_psprintf(cli->pool, "the store opens; %d site%s", cli->engine->hosts->nelts,
                             cli->engine->hosts->nelts == 1 ? "" : "s"),
                NULL);
    if (cli->engine->hosts->nelts == 0) {
        doctor_find(doctor, DOCTOR_FAIL, "state", "it knows no site",
                    "start httpd with `MnetEngine On` and `MnetWwwroot` in a virtual host");
    }
    if (cli->wwwroot != NULL && mnet_engine_host(cli->engine, cli->wwwroot) == NULL) {
        doctor_find(doctor, DOCTOR_FAIL, "state",
                    apr_pstrcat(cli->pool, cli->wwwroot, " is none of our sites", NULL),
                    "`mnetctl keys show` lists them");
    }
    for (i = 0; i < cli->engine->hosts->nelts; i++) {
        mnet_host_t *host = APR_ARRAY_IDX(cli->engine->hosts, i, mnet_host_t *);

        if (cli->wwwroot == NULL || strcmp(cli->wwwroot, host->site->wwwroot) == 0) {
            check_site(doctor, host, apr_time_now());
        }
    }
}

static int doctor(cli_t *cli)
{
    doctor_t found = {.cli = cli, .checks = mnet_array(cli->pool)};
    mnet_value_t *answer = mnet_struct(cli->pool);

    check_libraries(&found);
    check_clock(&found);
    check_directory(&found);
    check_state(&found);
    doctor_check_room(&found);
    mnet_set(answer, "ok", mnet_boolean(found.failures == 0, cli->pool));
    mnet_set(answer, "warnings", mnet_int(found.warnings, cli->pool));
    mnet_set(answer, "failures", mnet_int(found.failures, cli->pool));
    mnet_set(answer, "checks", found.checks);
    if (cli->json && cli_document(cli, answer) != CLI_OK) {
        return CLI_FAILED;
    }
    return found.failures == 0 ? CLI_OK : CLI_FAILED;
}

const cli_command_t cli_doctor_commands[] = {
    {.group = "doctor",
     .run = doctor,
     .usage = "",
     .summary = "Look for what is wrong, and say how to mend it.",
     .help = "Looks at the libraries, the clock, the state directory, the keys of every site\n"
             "(or of that of -w), and every peer's certificate.  It calls nobody: `mnetctl\n"
             "ping` does.  One line for each finding, OK, DOCTOR_WARN or DOCTOR_FAIL, with the "
             "mend below.\n"
             "Exit status 1 if there is a DOCTOR_FAIL."},
    {NULL}};
