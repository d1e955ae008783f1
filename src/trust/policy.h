/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MNET_TRUST_POLICY_H
#define MNET_TRUST_POLICY_H

/* Who may do what: pure functions over a site and its peers. */

#include "trust/peers.h"
#include "trust/site.h"

/* Is the service published to the peer: may it call our methods of it? */
int mnet_policy_publishes(const mnet_peer_t *peer, const char *service);
/* Do we call that service there? */
int mnet_policy_subscribes(const mnet_peer_t *peer, const char *service);
/*
 * May we call this method there?  system/ always; else the method must belong to a subscribed
 * service: known (service_of_ours, NULL if none), learnt from the peer, or by a pattern
 * (apr_fnmatch).
 */
int mnet_policy_may_call(const mnet_peer_t *peer, const char *method, const char *service_of_ours);
/* MnetUserAccess: the first match wins, default allow. */
int mnet_policy_user(const mnet_peer_t *peer, const char *username);
/* MnetPlaintextFrom.  address: the client's, in text. */
int mnet_policy_plaintext(const mnet_site_t *site, const char *address, apr_pool_t *pool);
/* The form of text a peer can read (protocol 2.2.3).  user_agent and accept_charset: of its
 * request, NULL if it sent none or we are the client. */
mnet_charset_e mnet_policy_charset_out(const mnet_peer_t *peer, const char *user_agent,
                                       const char *accept_charset);
/*
 * Whether what it writes is to be folded.  response: it answers a call of ours, which on auto is
 * always folded: Mahara and every Moodle before 4.1 answer a reference a byte, and nothing in the
 * answer tells those from a Moodle 4.1 (which would have to send a text like "Ã©" in earnest to be
 * harmed).  MnetPeerCharset utf8 switches it off, but not for a Mahara: one that decodes UTF-8 (as
 * some do since late 2023) goes on to write a reference a byte, and nothing it sends tells it from
 * one that does not.  What is written so is folded without loss, "Ã©" in earnest as well.
 */
mnet_charset_e mnet_policy_charset_in(const mnet_peer_t *peer, const char *user_agent,
                                      int response);

#endif
