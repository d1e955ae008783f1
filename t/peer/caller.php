<?php
// SPDX-License-Identifier: Apache-2.0
//
// A call as the products' clients make it and take its answer (protocol 2.3, 2.5, 3.1, 4.4): what
// each would tell its user is in "error".

namespace MnetPeer;

class Caller
{
    public function __construct(private State $state)
    {
    }

    // The headers of a style (protocol 2.1).  A keyswap looks different.
    public static function headers(string $style, bool $keyswap): array
    {
        return match ($style) {
            'mahara' => ['User-Agent' => $keyswap ? 'Moodle' : 'Mahara',
                'Content-Type' => 'text/xml charset=UTF-8'],
            'moodle-old' => ['User-Agent' => 'Moodle', 'Content-Type' => 'text/xml charset=UTF-8'],
            'moodle' => ['User-Agent' => 'Moodle', 'Accept-Encoding' => 'deflate, gzip',
                'Accept-Charset' => 'UTF-8,ISO-8859-1,US-ASCII',
                'Content-Type' => $keyswap ? 'text/xml; charset=utf-8' : 'text/xml'],
        };
    }

    /*
     * The body of a call.  Options: xml (the document), inner, outer (wwwroots), sign_with, seal_to
     * (PEM), sign (false), seal (false), timestamp, tamper, double, padding, key_bytes, session,
     * doctype (NAME:WHICH with NAME wire, signed or plain), signed (the signedMessage).
     */
    public function body(string $to, string $method, array $params, array $o = []): string
    {
        $style = $o['style'] ?? $this->state->style();
        $xml = $o['xml'] ?? Xmlrpc::request($style, $method, $params);
        [$where, $which] = array_pad(explode(':', $o['doctype'] ?? ':', 2), 2, 'plain');
        if ($where === 'plain') {
            $xml = Envelope::doctype(str_replace("?><", "?>\n<", $xml), $which, 'methodCall');
        }
        if ($method === 'system/keyswap' && empty($o['enveloped'])) {
            return $xml;
        }
        $own = $o['wwwroot'] ?? $this->state->wwwroot();
        if ($o['sign'] ?? true) {
            $xml = $o['signed'] ?? Envelope::sign($style, $xml,
                $o['sign_with'] ?? $this->state->data['key']['private'], $o['inner'] ?? $own,
                ['doctype' => $where === 'signed' ? $which : false] + $o);
        }
        if ($o['seal'] ?? true) {
            $certificate = $o['seal_to'] ?? $this->state->peer($to)['certificate'] ?? null;
            if ($certificate === null) {
                throw new Trouble('usage', "no certificate of $to is known here");
            }
            $xml = Envelope::seal($style, $xml, $certificate, $o['outer'] ?? $own,
                ['doctype' => $where === 'wire' ? $which : false] + $o);
        }
        return $xml;
    }

    // $to: the callee's wwwroot.  More options: url, application, raw (a body to send as it is), save,
    // headers, http (those of Http::request), follow (false), method (of HTTP).
    public function call(string $to, string $method, array $params, array $o = []): array
    {
        $application = $o['application'] ?? $this->state->peer($to)['application'] ?? 'moodle';
        $url = $o['url'] ?? $to . APPLICATIONS[$application]['xmlrpc'];
        $rekeyed = false;
        for ($tries = 1;; $tries++) {
            $body = $o['raw'] ?? $this->body($to, $method, $params, $o);
            if (isset($o['save'])) {
                file_put_contents($o['save'], $body);
            }
            $style = $o['style'] ?? $this->state->style();
            $headers = ($o['headers'] ?? [])
                + self::headers($style, $method === 'system/keyswap');
            $sent = microtime(true);
            try {
                $reply = Http::request($url, $o['method'] ?? 'POST', $headers, $body, $o['http'] ?? []);
            } catch (Trouble $e) {
                return ['status' => 0, 'error' => ['kind' => $e->kind, 'text' => $e->getMessage()]];
            }
            $out = ['status' => $reply['status'], 'headers' => $reply['headers'], 'tries' => $tries,
                'rekeyed' => $rekeyed, 'bytes' => strlen($body)];
            if (!empty($o['show'])) {
                $out['raw'] = $reply['body'];
            }
            $out += $this->readReply($style, $to, $reply, $sent, $o['skew'] ?? 0);
            if (($out['fault']['code'] ?? 0) !== 7025 || !($o['follow'] ?? true) || $tries > 1
                || isset($o['raw'])) {
                return $out;
            }
            // Moodle follows before it looks at the signature, Mahara only what it could verify.
            if ($style === 'mahara' && !$out['envelope']['verified']) {
                return ['error' => ['kind' => 'trust', 'text' => 'a 7025 that is not signed by the old key']]
                    + $out;
            }
            if (!openssl_x509_parse($out['fault']['text'])
                || ($style !== 'mahara' && !Keys::isClean($out['fault']['text']))) {
                return ['error' => ['kind' => 'trust', 'text' => 'a 7025 without a clean certificate']]
                    + $out;
            }
            $this->state->trust($to, $out['fault']['text']);
            $rekeyed = true;
        }
    }

    private function readReply(string $style, string $to, array $reply, float $sent, int $skew): array
    {
        $out = ['envelope' => ['encrypted' => false, 'signed' => false, 'verified' => false, 'key' => null]];
        $fail = function (string $kind, string $text) use (&$out) {
            $out['error'] = ['kind' => $kind, 'text' => $text];
            return $out;
        };
        if ($reply['status'] !== 200 && $style !== 'moodle-old') {
            $fail('transport', "HTTP status {$reply['status']}");
        }
        $text = trim($reply['body']);
        $message = Envelope::read($style, $text);
        if ($message['encrypted']) {
            $out['outer'] = $message['wwwroot'];
            $out['envelope']['encrypted'] = true;
            if ($message['data'] === '' && $message['key'] === '') {
                return $fail('no-rc4', 'both CipherValues are empty');
            }
            $opened = Envelope::open($message['data'], $message['key'], $this->state->ring());
            if (!$opened) {
                return $fail('trust', 'no key opens the answer');
            }
            $out['envelope']['key'] = $opened[1] === 0 ? 'current' : 'history';
            $text = $opened[0];
            // The byte constraint of every Moodle client (2.3).
            $at = strpos(substr($text, 0, 100), '<signedMessage>');
            if ($style !== 'mahara' && !$at) {
                $out['document'] = $text;
                $this->answer($style, $text, $out);
                return $fail('trust', 'the answer is not signed');
            }
            $message = Envelope::read($style, $text);
        }
        if ($message['signed']) {
            $out['envelope']['signed'] = true;
            $out['inner'] = $message['wwwroot'];
            $out['timestamp'] = $message['timestamp'];
            $text = $message['object'];
            $certificate = $this->state->peer($to)['certificate'] ?? null;
            $out['envelope']['verified'] = $certificate !== null
                && Envelope::verify($text, $message['signature'], $certificate);
            $drift = $message['timestamp'] - $skew - (microtime(true) + $sent) / 2; // by its own clock
            $out['drift'] = round($drift, 3);
        }
        $out['document'] = $text;
        $this->answer($style, $text, $out);
        $fault = $out['fault'] ?? null;
        if (!$out['envelope']['encrypted']) {
            if ($fault) {
                $out['moodle_reads'] = self::moodleReads($text);
            }
            if (!isset($out['error']) && ($fault || $out['envelope']['signed'])) {
                $fail($fault ? 'plain-fault' : 'plain', 'the answer is not encrypted');
            }
        } elseif ($fault && $fault['code'] === 7025) {
            return $out;
        } elseif (isset($out['drift']) && $out['drift'] > 15) {
            $fail('trust', "the answer is {$out['drift']} s ahead");
        } elseif (!$out['envelope']['verified']) {
            $fail('trust', 'the signature of the answer is wrong');
        }
        return $out;
    }

    private function answer(string $style, string $text, array &$out): void
    {
        $read = null;
        try {
            $read = Xmlrpc::readResponse($style, $text, $this->state->data['switches']['utf8'] ?? false);
        } catch (Trouble $e) {
            $out['error'] = ['kind' => $e->kind, 'text' => $e->getMessage()];
        }
        if ($read === null) {
            $out['error'] ??= ['kind' => 'xmlrpc', 'text' => 'the answer is no XML-RPC'];
        } elseif (isset($read['fault'])) {
            $out['fault'] = ['code' => $read['fault'][0], 'text' => $read['fault'][1]];
        } else {
            $out['result'] = $read['value'];
        }
    }

    // How much of a plain fault a Moodle client gets (2.5, last part).
    private static function moodleReads(string $xml): string
    {
        if (!preg_match('/<fault>\s/', $xml)) {
            return 'nothing';
        }
        return preg_match('#<name>faultCode</name><value>#', $xml) ? 'code' : 'text';
    }

    // The certificate that the site has now, by a bare keyswap; null if it gives none.
    public function keyswap(string $to, array $o = []): ?string
    {
        $own = $this->state->wwwroot();
        $params = [$own, $this->state->data['key']['certificate']];
        if ($this->state->style() !== 'mahara') {
            $params[] = $o['application'] ?? $this->state->peer($to)['application'] ?? 'moodle';
        }
        $reply = $this->call($to, 'system/keyswap', $params, $o);
        return is_string($reply['result'] ?? null) ? trim($reply['result']) . "\n" : null;
    }
}
