<?php
// SPDX-License-Identifier: Apache-2.0
//
// php selftest.php DIR-OF-VECTORS: the peer against what real peers sent, and against itself.  TAP.

namespace MnetPeer;

require __DIR__ . '/lib.php';

class Tap
{
    private static int $n = 0;
    private static int $failed = 0;

    public static function ok(bool $ok, string $what, string $why = ''): void
    {
        self::$failed += $ok ? 0 : 1;
        echo $ok ? 'ok ' : 'not ok ', ++self::$n, ' - ', $what, "\n";
        if (!$ok && $why !== '') {
            echo '# ', str_replace("\n", "\n# ", substr($why, 0, 2000)), "\n";
        }
    }

    // One line for many alike: what failed is named.
    public static function all(array $failures, int $count, string $what): void
    {
        self::ok($count > 0 && !$failures, "$what ($count)", implode("\n", array_slice($failures, 0, 10)));
    }

    public static function done(): int
    {
        echo '1..', self::$n, "\n";
        return self::$failed ? 1 : 0;
    }
}

class Vectors
{
    private array $manifest;

    public function __construct(private string $dir)
    {
        $this->manifest = json_decode(file_get_contents("$dir/manifest.json"), true);
    }

    // [message, exchange] of all that were captured as XML
    private function messages(): iterable
    {
        foreach ($this->manifest['exchanges'] as $exchange) {
            foreach ($exchange['messages'] as $message) {
                yield $exchange['id'] . ' ' . $message['role'] => [$message, $exchange];
            }
        }
    }

    private function pair(string $key): array
    {
        $name = preg_replace('/\.\w+$/', '', $key);
        return ['private' => "-----BEGIN PRIVATE KEY-----\n"
            . chunk_split(base64_encode(file_get_contents("$this->dir/$name.p8")), 64, "\n")
            . "-----END PRIVATE KEY-----\n",
            'certificate' => file_get_contents("$this->dir/$name.crt")];
    }

    private function bytes(array $message, string $which): string
    {
        return file_get_contents("$this->dir/{$message[$which]}");
    }

    public function open(): void
    {
        $wrong = ['opened' => [], 'rc4' => [], 'payload' => [], 'signature' => [], 'facts' => []];
        $count = array_fill_keys(array_keys($wrong), 0);
        foreach ($this->messages() as $id => [$message]) {
            foreach (['moodle', 'mahara'] as $reader) {
                $wire = trim($this->bytes($message, 'wire'));
                if (isset($message['decrypt_key'])) {
                    $outer = Envelope::read($reader, $wire);
                    $opened = Envelope::open($outer['data'], $outer['key'],
                        [$this->pair($message['decrypt_key'])]);
                    $count['opened']++;
                    $inside = isset($message['signed_file']) ? $this->bytes($message, 'signed_file')
                        : $this->bytes($message, 'plain_file');
                    if (($opened[0] ?? null) !== $inside || $outer['wwwroot'] !== $message['outer_wwwroot']) {
                        $wrong['opened'][] = "$id by $reader";
                    }
                    $count['rc4']++;
                    if (Rc4::run(hex2bin($message['sessionkey']), $outer['data']) !== $inside) {
                        $wrong['rc4'][] = "$id by $reader";
                    }
                    $wire = $inside;
                }
                if (!$message['signed']) {
                    continue;
                }
                $inner = Envelope::read($reader, $wire);
                $count['payload']++;
                if ($inner['object'] !== $this->bytes($message, 'plain_file')) {
                    $wrong['payload'][] = "$id by $reader";
                }
                $count['facts']++;
                if ($inner['wwwroot'] !== $message['wwwroot']
                    || $inner['timestamp'] !== $message['timestamp']) {
                    $wrong['facts'][] = "$id by $reader";
                }
                if ($message['signature_cert'] ?? null) {
                    $count['signature']++;
                    if (!Envelope::verify($inner['object'], $inner['signature'],
                        $this->pair($message['signature_cert'])['certificate'])) {
                        $wrong['signature'][] = "$id by $reader";
                    }
                }
            }
        }
        Tap::all($wrong['opened'], $count['opened'], 'captured messages open');
        Tap::all($wrong['rc4'], $count['rc4'], 'and by our own RC4 with their session keys');
        Tap::all($wrong['payload'], $count['payload'], 'their payloads are the recorded ones');
        Tap::all($wrong['facts'], $count['facts'], 'so are wwwroot and timestamp');
        Tap::all($wrong['signature'], $count['signature'], 'their signatures verify');
    }

    // Every captured document wrapped again in its sender's manner, for its receiver.
    public function recreate(): void
    {
        $wrong = [];
        $count = 0;
        foreach ($this->messages() as $id => [$message]) {
            if (!isset($message['decrypt_key'], $message['signature_cert'])) {
                continue;
            }
            $count++;
            $plain = $this->bytes($message, 'plain_file');
            $sender = $this->pair($message['signature_cert']);
            $receiver = $this->pair($message['decrypt_key']);
            $signed = Envelope::sign($message['sender'], $plain, $sender['private'], $message['wwwroot'],
                ['timestamp' => $message['timestamp']]);
            $sealed = Envelope::seal($message['sender'], $signed, $receiver['certificate'],
                $message['outer_wwwroot']);
            $outer = Envelope::read($message['receiver'], $sealed);
            $opened = Envelope::open($outer['data'], $outer['key'], [$receiver]);
            $inner = Envelope::read($message['receiver'], $opened[0] ?? '<x/>');
            $captured = Envelope::read($message['receiver'], $this->bytes($message, 'signed_file'));
            if (($inner['object'] ?? '') !== $plain || $inner['signature'] !== $captured['signature']
                || !in_array(strpos($opened[0], '<signedMessage>'), range(1, 85), true)) {
                $wrong[] = $id;
            }
        }
        Tap::all($wrong, $count, 'wrapped again, the receiver opens them and the signature is the same');
    }

    public function documents(): void
    {
        $wrong = ['read' => [], 'written' => []];
        $count = ['read' => 0, 'written' => 0];
        foreach ($this->messages() as $id => [$message]) {
            $expected = $message['expected'] ?? null;
            if (!isset($message['plain_file']) || !$expected) {
                continue;
            }
            $plain = $this->bytes($message, 'plain_file');
            if (isset($expected['method'])) {
                $read = Xmlrpc::readCall('moodle', $plain);
                $count['read']++;
                if ($read['method'] !== $expected['method']
                    || count($read['params']) !== count($expected['params'])) {
                    $wrong['read'][] = $id;
                }
                // An encoder is right if it makes of the values the bytes that the product made.
                if ($message['sender'] === 'moodle' && !preg_match('#base64|dateTime|<value></#', $plain)) {
                    $count['written']++;
                    $again = Xmlrpc::request('moodle', $read['method'], $read['params']);
                    if ($again !== $plain) {
                        $wrong['written'][] = "$id\n$again\n---\n$plain";
                    }
                }
            } elseif (array_key_exists('value', $expected)) {
                $count['read']++;
                $read = Xmlrpc::readResponse('moodle', $plain);
                if (!$read || !array_key_exists('value', $read)) {
                    $wrong['read'][] = $id;
                    continue;
                }
                if ($message['sender'] === 'moodle') {
                    $count['written']++;
                    $again = Xmlrpc::response('moodle', $read['value'],
                        str_contains($plain, 'encoding="UTF-8"'));
                    if ($again !== $plain) {
                        $wrong['written'][] = "$id\n$again\n---\n$plain";
                    }
                }
            } elseif (isset($expected['fault'])) {
                $count['read']++;
                $count['written']++;
                $read = Xmlrpc::readResponse('moodle', $plain);
                if (!isset($read['fault'])) {
                    $wrong['read'][] = $id;
                } elseif (Xmlrpc::fault($message['sender'], ...$read['fault']) !== $plain) {
                    $wrong['written'][] = "$id\n$plain";
                }
            }
        }
        Tap::all($wrong['read'], $count['read'], 'captured documents are read');
        Tap::all($wrong['written'], $count['written'], "and written again as Moodle's and Mahara's bytes");
    }
}

// The imitation of the extension against the extension.
function extension(): void
{
    if (!function_exists('xmlrpc_encode_request')) {
        Tap::ok(true, 'the xmlrpc extension # SKIP is not here; its imitation is used');
        return;
    }
    require __DIR__ . '/methods.php';
    $params = [Methods::types(), 'x', [], ['a' => [true, null, 1.25]]];
    $imitation = new \ReflectionMethod(Xmlrpc::class, 'extValue');
    foreach (['mahara' => false, 'moodle-old' => true] as $style => $raw) {
        $xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<methodCall>\n<methodName>a/b</methodName>\n<params>\n";
        foreach ($params as $param) {
            $xml .= " <param>\n" . $imitation->invoke(null, $param, 2, $raw) . " </param>\n";
        }
        $xml .= "</params>\n</methodCall>\n";
        $real = Xmlrpc::request($style, 'a/b', $params);
        Tap::ok($xml === $real, "the imitation of the extension writes its bytes ($style)", "$xml\n---\n$real");
    }
    $document = Xmlrpc::response('mahara', Methods::types(), false);
    foreach ([$document, Xmlrpc::response('moodle', Methods::types(), true),
        Xmlrpc::response('moodle', Methods::types(), false)] as $xml) {
        Tap::ok(Xmlrpc::imitated($xml) === xmlrpc_decode($xml), 'and its reading, of text in Latin-1 where it can',
            json(Xmlrpc::imitated($xml)) . "\n" . json(xmlrpc_decode($xml)));
    }
    Tap::ok(xmlrpc_decode($document) === Methods::types(), 'which undoes its own byte references');
}

function ourselves(): void
{
    foreach (['moodle' => 'http://moodle.example.org/' . str_repeat('a', 60), 'mahara' => 'https://m.example.org']
        as $style => $wwwroot) {
        $pair = Keys::make($style, $wwwroot);
        $parsed = openssl_x509_parse($pair['certificate']);
        Tap::ok(Keys::names($style, $pair['certificate'], $wwwroot), "$style: a certificate names its wwwroot");
        Tap::ok(!Keys::names($style, $pair['certificate'], "$wwwroot/x"), "$style: and no other");
        Tap::ok(Keys::isClean($pair['certificate']), "$style: in the form that Moodle keeps");
        $order = ['C', 'ST', 'L', 'O', 'OU', 'CN', ...($style === 'moodle' ? ['subjectAltName'] : []),
            'emailAddress'];
        Tap::ok(array_keys($parsed['subject']) === $order && $parsed['serialNumber'] === '0',
            "$style: subject in its order, serial 0", implode(' ', array_keys($parsed['subject'])));
    }
    $signed = Envelope::sign('moodle', '<methodCall/>', $pair['private'], 'http://a.example.org');
    $opens = function (array $o) use ($pair, $signed) {
        $read = Envelope::readMoodle(Envelope::seal('moodle', $signed, $pair['certificate'],
            'http://a.example.org', $o));
        return (Envelope::open($read['data'], $read['key'], [$pair])[0] ?? null) === $signed;
    };
    Tap::ok($opens([]) && $opens(['padding' => 'good']) && $opens(['key_bytes' => 16]), 'a sealed message opens');
    $odd = array_filter(Padding::KINDS, fn ($kind) => $opens(['padding' => $kind]));
    // OpenSSL takes session keys of other lengths, and with implicit rejection says nothing of the rest.
    Tap::ok(!array_diff($odd, ['key-1', 'key-5', 'key-15', 'key-17', 'key-32', 'key-fills']),
        'badly padded keys do not', implode(' ', $odd));
    foreach (['cipher', 'wrapped'] as $tamper) {
        $read = Envelope::readMoodle(Envelope::seal('moodle', $signed, $pair['certificate'], 'http://a.example.org',
            ['tamper' => $tamper]));
        Tap::ok((Envelope::open($read['data'], $read['key'], [$pair])[0] ?? '') !== $signed,
            "a tampered $tamper is another message");
    }
    foreach (['signature', 'payload'] as $tamper) {
        $read = Envelope::readMahara(Envelope::sign('mahara', '<methodCall></methodCall>', $pair['private'],
            'http://a.example.org', ['tamper' => $tamper]));
        Tap::ok(!Envelope::verify($read['object'], $read['signature'], $pair['certificate']),
            "a tampered $tamper does not verify");
    }
}

$vectors = new Vectors($argv[1] ?? __DIR__ . '/../vectors');
$vectors->open();
$vectors->recreate();
$vectors->documents();
extension();
ourselves();
exit(Tap::done());
