<?php
// SPDX-License-Identifier: Apache-2.0
//
// An MNET peer in PHP, written from the protocol reference alone, so that the C code never has
// only itself to talk to.  Cryptography is PHP's own openssl extension (RC4 by
// openssl-legacy.cnf), XML-RPC is the xmlrpc extension where there is one.
//
//   xmlrpc.php    documents, as three kinds of peer write and read them
//   envelope.php  signedMessage and encryptedMessage
//   keys.php      keys and certificates
//   state.php     the folder that holds a peer: keys, known sites, switches
//   http.php      HTTP by hand, so that it can be done wrong
//   caller.php    a call as the products make it, 7025 included
//   signon.php    single sign-on, as provider of identities and of services
//   portfolio.php packages that it is sent
//   school.php    courses, and who is enrolled in them
//   pages.php     its pages for browsers
//   server.php    the peer as a server (router of php -S, or a script for php-fpm)
//   client.php    the peer as a client, from the command line
//   admin.php     makes and changes a state folder

namespace MnetPeer;

error_reporting(E_ALL);
ini_set('display_errors', PHP_SAPI === 'cli' ? 'stderr' : '0');
ini_set('log_errors', PHP_SAPI === 'cli' ? '0' : '1');
ini_set('memory_limit', '1024M');
date_default_timezone_set('UTC');

const STYLES = ['moodle', 'moodle-old', 'mahara'];

const APPLICATIONS = [
    'moodle' => ['xmlrpc' => '/mnet/xmlrpc/server.php', 'publickey' => '/mnet/publickey.php',
        'land' => '/auth/mnet/land.php', 'jump' => '/auth/mnet/jump.php'],
    'mahara' => ['xmlrpc' => '/api/xmlrpc/server.php', 'publickey' => '/api/xmlrpc/publickey.php',
        'land' => '/auth/xmlrpc/land.php', 'jump' => '/auth/xmlrpc/jump.php'],
];

function application(string $style): string
{
    return $style === 'mahara' ? 'mahara' : 'moodle';
}

// What went wrong on this side, with a short word for the kind.
class Trouble extends \Exception
{
    public function __construct(public string $kind, string $message)
    {
        parent::__construct($message);
    }
}

// A fault that a method or the server answers.
class Fault extends \Exception
{
    public ?string $pem = null;
}

require_once __DIR__ . '/xmlrpc.php';
require_once __DIR__ . '/envelope.php';
require_once __DIR__ . '/keys.php';
require_once __DIR__ . '/state.php';
require_once __DIR__ . '/http.php';
require_once __DIR__ . '/caller.php';
require_once __DIR__ . '/signon.php';
require_once __DIR__ . '/portfolio.php';
require_once __DIR__ . '/school.php';

// For JSON: values may hold bytes that are no UTF-8, which is a finding, not an accident.
function json($value): string
{
    return json_encode($value, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES
        | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PRESERVE_ZERO_FRACTION);
}
