<?php
// SPDX-License-Identifier: Apache-2.0
//
// signedMessage and encryptedMessage (protocol 2.3, 2.4), and the ways in which the two products
// find things in them (2.5).  Everything that can be asked for wrongly is an option.

namespace MnetPeer;

class Envelope
{
    const DSIG = 'http://www.w3.org/2000/09/xmldsig#';
    const XENC = 'http://www.w3.org/2001/04/xmlenc#';

    private static function layout(array $lines): string
    {
        $xml = "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n";
        foreach ($lines as [$depth, $line]) {
            $xml .= str_repeat('    ', $depth + 1) . $line . "\n";
        }
        return rtrim($xml, "\n");
    }

    // Options: timestamp, key_uri, tamper (signature|payload|digest), double (object|signature|
    // wwwroot|timestamp), doctype, hash.
    public static function sign(string $style, string $payload, string $private, string $wwwroot,
        array $o = []): string
    {
        if (!openssl_sign($payload, $signature, $private, $o['hash'] ?? OPENSSL_ALGO_SHA1)) {
            throw new Trouble('openssl', 'signing failed: ' . openssl_error_string());
        }
        $tamper = $o['tamper'] ?? '';
        if ($tamper === 'signature') {
            $signature[40] = chr(ord($signature[40]) ^ 1);
        }
        $digest = sha1($tamper === 'digest' ? "$payload!" : $payload);
        if ($tamper === 'payload') {
            $payload = str_replace('methodCall>', 'methodCall >', $payload);
        }
        $uri = $o['key_uri'] ?? $wwwroot . APPLICATIONS[application($style)]['publickey'];
        $object = '<object ID="XMLRPC-MSG">' . base64_encode($payload) . '</object>';
        $value = '<SignatureValue>' . base64_encode($signature) . '</SignatureValue>';
        $stamp = '<timestamp>' . ($o['timestamp'] ?? time()) . '</timestamp>';
        $double = $o['double'] ?? '';
        $dsig = self::DSIG;
        $lines = [
            [0, '<signedMessage>'],
            [1, "<Signature Id=\"MoodleSignature\" xmlns=\"$dsig\">"],
            [2, '<SignedInfo>'],
            [3, '<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'],
            [3, "<SignatureMethod Algorithm=\"{$dsig}rsa-sha1\"/>"],
            [3, '<Reference URI="#XMLRPC-MSG">'],
            [4, "<DigestMethod Algorithm=\"{$dsig}sha1\"/>"],
            [4, "<DigestValue>$digest</DigestValue>"],
            [3, '</Reference>'],
            [2, '</SignedInfo>'],
            [2, $value . ($double === 'signature' ? $value : '')],
            [2, "<KeyInfo><RetrievalMethod URI=\"$uri\"/></KeyInfo>"],
            [1, '</Signature>'],
            [1, $object . ($double === 'object' ? $object : '')],
            [1, "<wwwroot>$wwwroot</wwwroot>" . ($double === 'wwwroot' ? "<wwwroot>$wwwroot</wwwroot>" : '')],
            [1, $stamp . ($double === 'timestamp' ? $stamp : '')],
            [0, '</signedMessage>'],
        ];
        return self::doctype(self::layout($lines), $o['doctype'] ?? false, 'signedMessage');
    }

    // Options: padding (see Padding), key_bytes, tamper (cipher|wrapped), double (cipher|key|data),
    // doctype, wrapped_base64, session (hex).
    public static function seal(string $style, string $message, string $certificate, string $wwwroot,
        array $o = []): string
    {
        if (isset($o['padding'])) {
            [$wrapped, $session] = Padding::block($o['padding'], $certificate);
            $cipher = Rc4::run($session, $message);
        } elseif (isset($o['session']) || isset($o['key_bytes'])) {
            $session = isset($o['session']) ? hex2bin($o['session']) : random_bytes((int) $o['key_bytes']);
            openssl_public_encrypt($session, $wrapped, $certificate, OPENSSL_PKCS1_PADDING);
            $cipher = Rc4::run($session, $message);
        } else {
            $keys = [];
            if (!openssl_seal($message, $cipher, $keys, [$certificate], 'RC4')) {
                throw new Trouble('no-rc4', 'openssl_seal failed: ' . openssl_error_string());
            }
            $wrapped = $keys[0];
        }
        $tamper = $o['tamper'] ?? '';
        if ($tamper === 'cipher') {
            $at = intdiv(strlen($cipher), 2);
            $cipher[$at] = chr(ord($cipher[$at]) ^ 0x20);
        } elseif ($tamper === 'wrapped') {
            $wrapped[100] = chr(ord($wrapped[100]) ^ 1);
        }
        return self::encrypted($style, $cipher, $wrapped, $wwwroot, $o);
    }

    // The document around two binary values; empty ones are what a PHP without RC4 sends.
    public static function encrypted(string $style, string $cipher, string $wrapped, string $wwwroot,
        array $o = []): string
    {
        $xenc = self::XENC;
        $dsig = self::DSIG;
        $data = '<CipherData><CipherValue>' . base64_encode($cipher) . '</CipherValue></CipherData>';
        $key = '<CipherData><CipherValue>' . base64_encode($wrapped) . '</CipherValue></CipherData>';
        if (!empty($o['wrap_base64'])) {
            $data = preg_replace('/[A-Za-z0-9+\/=]{76}/', "$0\r\n", $data);
        }
        $double = $o['double'] ?? '';
        $lines = [
            [0, '<encryptedMessage>'],
            [1, "<EncryptedData Id=\"ED\" xmlns=\"$xenc\">"],
            [2, "<EncryptionMethod Algorithm=\"{$xenc}arcfour\"/>"],
            [2, "<ds:KeyInfo xmlns:ds=\"$dsig\">"],
            [3, "<ds:RetrievalMethod URI=\"#EK\" Type=\"{$xenc}EncryptedKey\"/>"],
            [3, '<ds:KeyName>XMLENC</ds:KeyName>'],
            [2, '</ds:KeyInfo>'],
            [2, $data . ($double === 'cipher' ? $data : '')],
            [1, '</EncryptedData>'],
            [1, "<EncryptedKey Id=\"EK\" xmlns=\"$xenc\">"],
            [2, "<EncryptionMethod Algorithm=\"{$xenc}rsa-1_5\"/>"],
            [2, "<ds:KeyInfo xmlns:ds=\"$dsig\"><ds:KeyName>SSLKEY</ds:KeyName></ds:KeyInfo>"],
            [2, $key . ($double === 'key' ? $key : '')],
            [2, '<ReferenceList><DataReference URI="#ED"/></ReferenceList>'],
            [2, '<CarriedKeyName>XMLENC</CarriedKeyName>'],
            [1, '</EncryptedKey>'],
            [1, "<wwwroot>$wwwroot</wwwroot>" . ($double === 'outer' ? "<wwwroot>$wwwroot</wwwroot>" : '')],
        ];
        if ($style === 'mahara') {
            $lines[] = [1, '<X1>nothing</X1>'];
        }
        $lines[] = [0, '</encryptedMessage>'];
        return self::doctype(self::layout($lines), $o['doctype'] ?? false, 'encryptedMessage');
    }

    public static function doctype(string $xml, $which, string $root): string
    {
        $dtd = match ($which) {
            false, null, '' => null,
            'bomb' => "<!DOCTYPE $root [<!ENTITY a \"aaaaaaaaaa\">" . implode('', array_map(
                fn ($i) => '<!ENTITY ' . chr(98 + $i) . ' "' . str_repeat('&' . chr(97 + $i) . ';', 10) . '">',
                range(0, 8))) . ']>',
            'external' => "<!DOCTYPE $root [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
            default => "<!DOCTYPE $root>",
        };
        return $dtd === null ? $xml : preg_replace('/\?>\n/', "?>\n$dtd\n", $xml, 1);
    }

    // --- reading ---------------------------------------------------------------------------------

    // As Moodle does: names anywhere, upper-cased, the hierarchy ignored, text added up.
    public static function readMoodle(string $xml): array
    {
        $found = ['cipher' => [], 'values' => [], 'fault' => false];
        $collect = ['SIGNATUREVALUE', 'OBJECT', 'TIMESTAMP', 'WWWROOT', 'DIGESTVALUE', 'CIPHERVALUE',
            'FAULTCODE', 'FAULTSTRING'];
        $now = null;
        $parser = xml_parser_create();
        xml_set_element_handler($parser,
            function ($p, $name) use (&$now, &$found, $collect) {
                $now = in_array($name, $collect, true) ? $name : null;
                if ($now === 'CIPHERVALUE') {
                    $found['cipher'][] = '';
                }
                $found['fault'] = $found['fault'] || $name === 'FAULT';
            },
            function () use (&$now) {
                $now = null;
            });
        xml_set_character_data_handler($parser, function ($p, $text) use (&$now, &$found) {
            if ($now === 'CIPHERVALUE') {
                $found['cipher'][count($found['cipher']) - 1] .= $text;
            } elseif ($now !== null) {
                $found['values'][$now] = ($found['values'][$now] ?? '') . $text;
            }
        });
        if (defined('XML_OPTION_PARSE_HUGE')) { // PHP 8.4: texts over ten million bytes
            xml_parser_set_option($parser, XML_OPTION_PARSE_HUGE, true);
        }
        // Like Moodle, it does not say that this is the end.
        $ok = xml_parse($parser, $xml, false);
        $values = $found['values'];
        return ['ok' => (bool) $ok, 'encrypted' => count($found['cipher']) > 0,
            'data' => base64_decode($found['cipher'][count($found['cipher']) - 2] ?? ''),
            'key' => base64_decode(end($found['cipher']) ?: ''),
            'signed' => trim($values['SIGNATUREVALUE'] ?? '') !== '', 'fault' => $found['fault'],
            'signature' => base64_decode($values['SIGNATUREVALUE'] ?? ''),
            'object' => base64_decode($values['OBJECT'] ?? ''),
            'wwwroot' => $values['WWWROOT'] ?? '', 'timestamp' => (int) trim($values['TIMESTAMP'] ?? '')];
    }

    // As Mahara does: the root decides, fixed paths, case-sensitive.
    public static function readMahara(string $xml): array
    {
        $before = libxml_use_internal_errors(true);
        $root = simplexml_load_string($xml, null, LIBXML_NONET | LIBXML_PARSEHUGE);
        libxml_clear_errors();
        libxml_use_internal_errors($before);
        if ($root === false) {
            return ['ok' => false, 'root' => '', 'encrypted' => false, 'signed' => false];
        }
        $name = $root->getName();
        $out = ['ok' => true, 'root' => $name, 'encrypted' => $name === 'encryptedMessage',
            'signed' => $name === 'signedMessage', 'wwwroot' => (string) $root->wwwroot,
            'timestamp' => (int) (string) $root->timestamp];
        if ($out['encrypted']) {
            $out['data'] = base64_decode((string) $root->EncryptedData->CipherData->CipherValue);
            $out['key'] = base64_decode((string) $root->EncryptedKey->CipherData->CipherValue);
        }
        if ($out['signed']) {
            $out['signature'] = base64_decode((string) $root->Signature->SignatureValue);
            $out['object'] = base64_decode((string) $root->object);
        }
        return $out;
    }

    public static function read(string $style, string $xml): array
    {
        return $style === 'mahara' ? self::readMahara($xml) : self::readMoodle($xml);
    }

    // [plain text, index of the key] or null.  An OpenSSL with implicit rejection "opens" with any
    // key: what comes out must begin as a message does.
    public static function open(string $data, string $key, array $ring): ?array
    {
        foreach ($ring as $index => $pair) {
            if ($data !== '' && $key !== ''
                && @openssl_open($data, $plain, $key, $pair['private'], 'RC4')
                && preg_match('/^\s*<(\?xml|signedMessage|methodCall|methodResponse)/', $plain)) {
                return [$plain, $index];
            }
        }
        while (openssl_error_string() !== false) {
            continue;
        }
        return null;
    }

    public static function verify(string $payload, string $signature, string $certificate): bool
    {
        return openssl_verify($payload, $signature, $certificate, OPENSSL_ALGO_SHA1) === 1;
    }
}

// RC4 once more, for session keys of odd lengths and blocks that openssl_seal would not make.
class Rc4
{
    public static function run(string $key, string $text): string
    {
        if ($key === '') {
            return $text;
        }
        $s = range(0, 255);
        for ($i = 0, $j = 0, $n = strlen($key); $i < 256; $i++) {
            $j = ($j + $s[$i] + ord($key[$i % $n])) & 255;
            [$s[$i], $s[$j]] = [$s[$j], $s[$i]];
        }
        for ($i = 0, $j = 0, $k = 0, $n = strlen($text); $k < $n; $k++) {
            $i = ($i + 1) & 255;
            $j = ($j + $s[$i]) & 255;
            [$s[$i], $s[$j]] = [$s[$j], $s[$i]];
            $text[$k] = chr(ord($text[$k]) ^ $s[($s[$i] + $s[$j]) & 255]);
        }
        return $text;
    }
}

// Wrapped session keys, one right and every kind of wrong.
class Padding
{
    const KINDS = ['first-byte', 'second-byte', 'type-0', 'type-1', 'no-separator', 'separator-early',
        'separator-first', 'separator-at-7', 'empty-key', 'key-1', 'key-5', 'key-15', 'key-17', 'key-32',
        'key-fills', 'all-zero', 'random', 'wrong-key', 'short', 'long', 'empty', 'one-byte',
        'over-modulus', 'modulus', 'zero', 'one', 'minus-one'];

    // [bytes of the wrapped key, session key the cipher text is made with]
    public static function block(string $kind, string $certificate): array
    {
        $rsa = Keys::rsa($certificate);
        $size = $rsa['bytes'];
        $key = random_bytes(16);
        $fill = fn (int $n) => preg_replace_callback('/\x00/', fn () => chr(random_int(1, 255)),
            $n > 0 ? random_bytes($n) : '');
        $em = fn (string $head, string $key) => $head . $fill($size - 3 - strlen($key)) . "\0" . $key;
        $odd = fn (int $n) => $n ? random_bytes($n) : '';
        $raw = null;
        switch ($kind) {
            case 'good': $block = $em("\0\2", $key); break;
            case 'first-byte': $block = $em("\1\2", $key); break;
            case 'second-byte': $block = $em("\0\3", $key); break;
            case 'type-0': $block = "\0\0" . str_repeat("\0", $size - 19) . "\0" . $key; break;
            case 'type-1': $block = "\0\1" . str_repeat("\xff", $size - 19) . "\0" . $key; break;
            case 'no-separator': $block = "\0\2" . $fill($size - 2); break;
            case 'separator-early': $block = "\0\2" . $fill(3) . "\0" . $fill($size - 23) . "\0" . $key; break;
            case 'separator-first': $block = "\0\2\0" . $fill($size - 20) . "\0" . $key; break;
            case 'separator-at-7': $block = "\0\2" . $fill(7) . "\0" . $fill($size - 27) . "\0" . $key; break;
            case 'empty-key': $key = ''; $block = $em("\0\2", ''); break;
            case 'key-1': case 'key-5': case 'key-15': case 'key-17': case 'key-32':
                $key = $odd((int) substr($kind, 4));
                $block = $em("\0\2", $key);
                break;
            case 'key-fills': $key = random_bytes($size - 11); $block = $em("\0\2", $key); break;
            case 'all-zero': $block = str_repeat("\0", $size); break;
            case 'random': $block = "\0" . random_bytes($size - 1); break;
            case 'wrong-key': $block = $em("\0\2", random_bytes(16)); break;
            case 'short': $raw = random_bytes($size - 1); break;
            case 'long': $raw = random_bytes($size + 1); break;
            case 'empty': $raw = ''; break;
            case 'one-byte': $raw = "\x42"; break;
            case 'over-modulus': $raw = str_repeat("\xff", $size); break;
            case 'modulus': $raw = str_pad($rsa['n'], $size, "\0", STR_PAD_LEFT); break;
            case 'zero': $raw = str_repeat("\0", $size); break;
            case 'one': $raw = str_repeat("\0", $size - 1) . "\1"; break;
            case 'minus-one': // the modulus is odd: one less only clears its last bit
                $raw = str_pad($rsa['n'], $size, "\0", STR_PAD_LEFT);
                $raw[$size - 1] = chr(ord($raw[$size - 1]) - 1);
                break;
            default: throw new Trouble('usage', "no padding is called $kind");
        }
        if ($raw === null && !openssl_public_encrypt($block, $raw, $certificate, OPENSSL_NO_PADDING)) {
            throw new Trouble('openssl', 'raw RSA failed: ' . openssl_error_string());
        }
        return [$raw, $key === '' ? "\0" : $key];
    }
}
