<?php
// SPDX-License-Identifier: Apache-2.0
//
//   php client.php --state DIR --to WWWROOT [OPTION...] METHOD [JSON-PARAMS]
//
// Calls METHOD at the site WWWROOT and prints one line of JSON: status, headers, envelope {encrypted,
// signed, verified, key}, result or fault {code, text}, and error {kind, text} if the product would
// not have taken the answer.  JSON-PARAMS "-" is read from standard input.  Options:
//
//   --url URL           post there            --application NAME   choose the path of --to by it
//   --style STYLE       another than the state's --wwwroot URL      claim to be that, in both envelopes
//   --inner URL --outer URL                   claim it in one of them
//   --sign-with FILE    a private key         --seal-to FILE       a certificate
//   --no-sign --no-seal --no-follow --enveloped (a keyswap in envelopes)
//   --timestamp N | --skew N (its clock is so far off)
//   --tamper signature|payload|digest|cipher|wrapped
//   --double object|signature|wwwroot|timestamp|cipher|key|outer
//   --padding KIND (see Padding::KINDS; "list" prints them)
//   --key-bytes N | --session HEX             of the RC4 key
//   --doctype wire|signed|plain:plain|bomb|external
//   --xml FILE          the XML-RPC document  --signed FILE        the signedMessage
//   --raw FILE          send these bytes      --save FILE          keep the bytes sent
//   --dry               make the body, print it, send nothing
//   --header "N: V" (an empty V removes it)   --http-method M      --hash sha256
//   --chunked --gzip --content-length N --truncate N --slow N --timeout S --from ADDRESS
//   --wrap-base64
//   --show              the answer's bytes too --repeat N          the same call again, in one process
//
// METHOD "many": JSON-PARAMS is a list of [METHOD, PARAMS]; each answer is printed as it comes.

namespace MnetPeer;

require __DIR__ . '/lib.php';

function options(array $argv): array
{
    $flags = ['no-sign', 'no-seal', 'no-follow', 'enveloped', 'dry', 'chunked', 'gzip', 'show',
        'wrap-base64'];
    $options = ['header' => []];
    $rest = [];
    for ($i = 1; $i < count($argv); $i++) {
        if (!str_starts_with($argv[$i], '--')) {
            $rest[] = $argv[$i];
            continue;
        }
        $name = substr($argv[$i], 2);
        if (in_array($name, $flags, true)) {
            $options[$name] = true;
        } elseif ($name === 'header') {
            $options['header'][] = $argv[++$i];
        } else {
            $options[$name] = $argv[++$i] ?? throw new Trouble('usage', "--$name needs a value");
        }
    }
    return [$options, $rest];
}

// What Caller::call understands.
function calling(array $in): array
{
    $o = ['http' => []];
    foreach (['url', 'application', 'style', 'wwwroot', 'inner', 'outer', 'tamper', 'double', 'padding',
        'key-bytes', 'session', 'doctype', 'save', 'timestamp', 'enveloped', 'show', 'wrap-base64']
        as $name) {
        if (isset($in[$name])) {
            $o[strtr($name, '-', '_')] = $in[$name];
        }
    }
    foreach (['sign-with', 'seal-to', 'xml', 'signed', 'raw'] as $name) {
        if (isset($in[$name])) {
            $o[strtr($name, '-', '_')] = file_get_contents($in[$name]);
        }
    }
    foreach (['sign', 'seal', 'follow'] as $name) {
        $o[$name] = !isset($in["no-$name"]);
    }
    foreach (['chunked', 'gzip', 'content-length', 'truncate', 'slow', 'timeout', 'from'] as $name) {
        if (isset($in[$name])) {
            $o['http'][strtr($name, '-', '_')] = $in[$name];
        }
    }
    if (isset($in['skew'])) {
        $o['skew'] = (int) $in['skew'];
        $o['timestamp'] = time() + $o['skew'];
    }
    if (isset($in['hash'])) {
        $o['hash'] = $in['hash'] === 'sha256' ? OPENSSL_ALGO_SHA256 : OPENSSL_ALGO_SHA1;
    }
    if (isset($in['http-method'])) {
        $o['method'] = $in['http-method'];
    }
    foreach ($in['header'] as $header) {
        [$name, $value] = array_map('trim', explode(':', $header, 2));
        $o['headers'][$name] = $value === '' ? null : $value;
    }
    return $o;
}

function main(array $argv): int
{
    [$in, $rest] = options($argv);
    if (($in['padding'] ?? '') === 'list') {
        echo implode("\n", Padding::KINDS), "\n";
        return 0;
    }
    if (!isset($in['state'], $in['to'], $rest[0])) {
        throw new Trouble('usage', 'client.php --state DIR --to WWWROOT [OPTION...] METHOD [JSON]');
    }
    $caller = new Caller(new State($in['state']));
    $json = ($rest[1] ?? '[]') === '-' ? stream_get_contents(STDIN) : $rest[1] ?? '[]';
    $params = json_decode($json, true, 512, JSON_THROW_ON_ERROR);
    $o = calling($in);
    if (isset($in['dry'])) {
        $body = $o['raw'] ?? $caller->body($in['to'], $rest[0], $params, $o);
        if (isset($o['save'])) {
            file_put_contents($o['save'], $body);
        } else {
            echo $body;
        }
        return 0;
    }
    if ($rest[0] === 'keyswap') {
        echo json(['result' => $caller->keyswap($in['to'], $o)]), "\n";
        return 0;
    }
    if ($rest[0] === 'many') { // a list of [METHOD, PARAMS], one call after another; each answer as it comes
        foreach ($params as [$method, $of]) {
            echo json($caller->call($in['to'], $method, $of, $o)), "\n";
            flush();
        }
        return 0;
    }
    for ($n = (int) ($in['repeat'] ?? 1); $n > 0; $n--) {
        echo json($caller->call($in['to'], $rest[0], $params, $o)), "\n";
    }
    return 0;
}

try {
    exit(main($argv));
} catch (Trouble $e) {
    echo json(['status' => 0, 'error' => ['kind' => $e->kind, 'text' => $e->getMessage()]]), "\n";
    exit($e->kind === 'usage' ? 2 : 1);
}
