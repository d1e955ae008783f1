<?php
// SPDX-License-Identifier: Apache-2.0
//
//   php tls.php FRONT-PORT BACK-PORT FILE
//
// TLS in front of `php -S`, which has none.  FILE gets the certificate (its own CA) for 127.0.0.1 and
// localhost; the key stays with it in FILE.key.

namespace MnetPeer;

require __DIR__ . '/lib.php';

function certificate(string $file): void
{
    $conf = "$file.cnf";
    file_put_contents($conf, "[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\n"
        . "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=critical,CA:TRUE\n");
    $config = ['config' => $conf, 'digest_alg' => 'sha256', 'x509_extensions' => 'ext'];
    $key = openssl_pkey_new(['config' => $conf, 'private_key_bits' => 2048]);
    $request = openssl_csr_new(['commonName' => 'localhost'], $key, $config);
    $made = openssl_csr_sign($request, null, $key, 30, $config, random_int(1, 1 << 30));
    openssl_pkey_export($key, $private, null, ['config' => $conf]);
    openssl_x509_export($made, $pem);
    file_put_contents("$file.key", $private);
    file_put_contents($file, $pem);
}

[, $front, $back, $file] = $argv;
certificate($file);
$server = stream_socket_server("tcp://127.0.0.1:$front", $errno, $error, STREAM_SERVER_BIND
    | STREAM_SERVER_LISTEN, stream_context_create(['ssl' => ['local_cert' => $file,
    'local_pk' => "$file.key"], 'socket' => ['backlog' => 64]])) or exit("$error\n");
pcntl_signal(SIGCHLD, SIG_IGN);
while (true) {
    pcntl_signal_dispatch();
    $client = @stream_socket_accept($server, 60);
    if (!$client || pcntl_fork() !== 0) {
        continue;
    }
    // A process for each connection.
    stream_set_timeout($client, 10);
    if (!@stream_socket_enable_crypto($client, true, STREAM_CRYPTO_METHOD_TLS_SERVER)) {
        exit(1);
    }
    $peer = stream_socket_client("tcp://127.0.0.1:$back");
    stream_set_blocking($client, false);
    stream_set_blocking($peer, false);
    while (true) {
        $read = [$client, $peer];
        $none = null;
        if (!stream_select($read, $none, $none, 120)) {
            exit(0);
        }
        foreach ($read as $from) {
            $to = $from === $client ? $peer : $client;
            $bytes = fread($from, 65536);
            if (($bytes === '' || $bytes === false) && feof($from)) {
                exit(0);
            }
            stream_set_blocking($to, true);
            for (; $bytes !== '' && $bytes !== false; $bytes = substr($bytes, $n)) {
                if (!($n = @fwrite($to, $bytes))) {
                    exit(0);
                }
            }
            stream_set_blocking($to, false);
        }
    }
}
