<?php
// SPDX-License-Identifier: Apache-2.0
//
// The peer as a server: the router of `php -S 127.0.0.1:PORT server.php`, or a script for php-fpm.  The
// folder of its state is in MNET_PEER_STATE.  It goes through a request in the order of the product it
// plays (protocol 3.1, 3.2) and answers that product's faults.
//
// Switch "lie" (admin.php DIR set '{"lie": "garbage"}', or {"lie": {"value": "garbage", "times": 1}}):
//   instead of an answer   hang:S drip:S garbage html warned 500 404 empty redirect close truncated big:N
//                          plain-answer plain-fault no-rc4
//   in the answer          bad-signature foreign-signature wrong-inner wrong-outer wrong-both
//                          future-time stale-time unsigned unencrypted double-object doctype
//                          not-xml old-key-reply twice-response
//   about the key          attack-foreign attack-plain attack-name attack-sentence loop-7025
// Switch "rotate": replaces the key before the next request is read.

namespace MnetPeer;

require_once __DIR__ . '/lib.php';
require_once __DIR__ . '/methods.php';
require_once __DIR__ . '/package.php';

class Server
{
    private string $style;
    private ?string $lie;
    private array $seen = ['encrypted' => false, 'signed' => false];
    private ?array $oldKey = null;   // the archived pair that opened the request
    private ?string $claimed = null; // the wwwroot of the caller, inner before outer
    private ?string $outer = null;

    public function __construct(private State $state)
    {
        $this->style = $state->style();
    }

    public function serve(): void
    {
        $path = parse_url($_SERVER['REQUEST_URI'] ?? '/', PHP_URL_PATH);
        $below = parse_url($this->state->wwwroot(), PHP_URL_PATH) ?? '';
        $path = str_starts_with($path, "$below/") ? substr($path, strlen($below)) : 'elsewhere';
        $application = APPLICATIONS[application($this->style)];
        if ($this->style !== 'mahara' && $path === $application['publickey']) {
            header('Content-Type: text/plain; charset=utf-8');
            echo $this->state->data['key']['certificate'];
            return;
        }
        if (str_starts_with($path, '/package/')) {
            (new Package($this->state))->serve();
            return;
        }
        if ($path !== $application['xmlrpc'] && (new Pages($this->state))->serve($path)) {
            return;
        }
        if ($path !== $application['xmlrpc']) {
            http_response_code(404);
            header('Content-Type: text/html; charset=utf-8');
            echo '<html><head><title>A peer in PHP</title></head><body></body></html>';
            return;
        }
        if ($this->state->take('rotate')) {
            $this->state->rotate();
        }
        $body = file_get_contents('php://input');
        $headers = array_change_key_case(function_exists('getallheaders') ? getallheaders() : []);
        $this->seen += ['http' => $_SERVER['REQUEST_METHOD'], 'path' => $path, 'bytes' => strlen($body),
            'headers' => $headers];
        file_put_contents($this->state->dir . '/last-request', $body);
        $this->lie = $this->state->take('lie');
        $this->seen['lie'] = $this->lie;
        header('Content-Type: text/xml; charset=utf-8');
        if ($this->lie !== null && $this->rude($this->lie)) {
            $this->state->log($this->seen);
            return;
        }
        try {
            $answer = $this->style === 'mahara' ? $this->mahara($body) : $this->moodle($body);
        } catch (Fault $e) {
            $answer = Xmlrpc::fault($this->style, $e->getCode(), $e->getMessage());
            $this->seen['fault'] = $e->getCode();
        }
        $this->state->log($this->seen);
        if ($this->lie === 'truncated') {
            header('Content-Length: ' . strlen($answer));
            $answer = substr($answer, 0, intdiv(strlen($answer), 2));
        }
        $this->write($answer);
    }

    // At once, or as a package's pace has it.
    private function write(string $answer): void
    {
        [$pace, $n] = explode(':', (Methods::$pace ?? '') . ':');
        $length = strlen($answer);
        if ($pace === '') {
            echo $answer;
            return;
        }
        header("Content-Length: $length");
        $piece = $pace === 'stall' ? intdiv($length * 99, 100) : max(1, intdiv((int) $n, 10));
        for ($at = 0; $at < $length && !connection_aborted(); $at += $piece) {
            echo substr($answer, $at, $piece);
            @ob_flush();
            flush();
            usleep($pace === 'stall' ? (int) $n * 1000000 : 100000);
        }
    }

    // Answers that need no look at the request.
    private function rude(string $lie): bool
    {
        [$kind, $n] = array_pad(explode(':', $lie, 2), 2, '');
        switch ($kind) {
            case 'hang':
                sleep((int) $n);
                http_response_code(500);
                return true;
            case 'drip':
                header('Content-Length: 100000');
                for ($i = 0; $i < 10 * (int) $n && !connection_aborted(); $i++) {
                    echo ' ';
                    flush();
                    usleep(100000);
                }
                return true;
            case 'garbage': echo random_bytes(3000); return true;
            case 'warned':
                echo "<br />\n<b>Warning</b>:  Undefined array key \"x\" in <b>/c.php</b> on line <b>12</b><br />\n";
                break;
            case 'html':
                header('Content-Type: text/html; charset=utf-8');
                echo '<!DOCTYPE html><html><head><title>Error</title></head><body><p>OpenSSL unable to '
                    . 'seal data</p></body></html>';
                return true;
            case '500': case '404': case '503': http_response_code((int) $kind); echo 'no'; return true;
            case 'empty': return true;
            case 'redirect':
                http_response_code(302);
                header('Location: ' . $this->state->wwwroot() . '/elsewhere');
                return true;
            case 'close':
                header('Content-Length: 5000');
                echo 'x';
                return true;
            case 'big':
                for ($i = 0; $i < (int) $n; $i++) {
                    echo str_repeat('<a>', 349525); // a mebibyte of it
                }
                return true;
            case 'plain-answer': echo Xmlrpc::response($this->style, 'trust me', true); return true;
            case 'plain-fault':
                echo Xmlrpc::fault($this->style, (int) ($n ?: 7023), 'mnet/encryption-invalid');
                return true;
            case 'no-rc4':
                if ($this->style !== 'mahara') { // a Moodle opens nothing then
                    echo Xmlrpc::fault('moodle', 7023, 'mnet/encryption-invalid');
                } else {
                    echo Envelope::encrypted('mahara', '', '', $this->state->wwwroot());
                }
                return true;
            case 'attack-plain':
                echo Xmlrpc::fault($this->style, 7025, $this->foreign()['certificate']);
                return true;
        }
        return false;
    }

    // --- Moodle ----------------------------------------------------------------------------------

    private function moodle(string $body): string
    {
        $verified = false;
        $text = $body;
        $outer = Envelope::readMoodle($text);
        if ($outer['encrypted']) {
            $this->claimed = $this->outer = $outer['wwwroot'];
            if (!$this->state->peer($this->claimed)) {
                throw new Fault("$this->claimed/wrong-wwwroot", 7020);
            }
            $text = $this->unwrap($outer) ?? throw new Fault('mnet/encryption-invalid', 7023);
        }
        $inner = Envelope::readMoodle($text);
        if ($inner['signed']) {
            $this->seen['signed'] = true;
            $this->noteInner($inner);
            $text = $inner['object'];
            $verified = $this->verified($text, $inner['signature']);
            if (!$verified) {
                $now = (new Caller($this->state))->keyswap($this->claimed);
                if ($now !== ($this->peer()['certificate'] ?? null) && !$this->oldKey) {
                    (new Caller($this->state))->call($this->claimed, 'system/listServices', []);
                    $this->state->load();
                    $verified = $this->verified($text, $inner['signature']);
                }
            }
        }
        try {
            $this->rekeyed();
            $call = $this->readCall($text);
            if ($call['method'] !== 'system/keyswap' && !($this->seen['encrypted'] && $verified)) {
                throw new Fault('not allowed', match (true) {
                    !$this->seen['encrypted'] => 7021,
                    !$this->seen['signed'] => 711,
                    default => 710,
                });
            }
            if (!preg_match('#^[A-Za-z0-9]+/[A-Za-z0-9/_.-]+(\.php/)?[A-Za-z0-9_-]+$#', $call['method'])) {
                throw new Fault('nosuchfunction', 713);
            }
            $document = $this->dispatch($call, 7012);
        } catch (Fault $e) {
            $this->seen['fault'] = $e->getCode();
            $document = Xmlrpc::fault('moodle', $e->getCode(), $e->getMessage());
        }
        return $this->wrap($document);
    }

    // --- Mahara ----------------------------------------------------------------------------------

    private const GENERIC = 'A nonrecoverable error occurred';

    private function mahara(string $body): string
    {
        $host = parse_url('http://' . ($_SERVER['HTTP_HOST'] ?? ''), PHP_URL_HOST);
        if ($host !== parse_url($this->state->wwwroot(), PHP_URL_HOST)) {
            throw new Fault(self::GENERIC, 6013);
        }
        $text = $body;
        $message = Envelope::readMahara($text);
        if (!$message['ok']) {
            throw new Fault(self::GENERIC, 6001);
        }
        $unknownKey = false;
        if ($message['encrypted']) {
            $this->claimed = $this->outer = $message['wwwroot'];
            $text = $this->unwrap($message);
            if ($text === null) {
                $unknownKey = true;
            } else {
                $message = Envelope::readMahara($text);
                if (!$message['ok']) {
                    throw new Fault(self::GENERIC, 6002);
                }
            }
        }
        if (!$unknownKey && $message['signed']) {
            $this->seen['signed'] = true;
            $this->noteInner($message);
            $this->peer() ?? throw new Fault(self::GENERIC, 6003);
            $text = $message['object'];
            if (!$this->verified($text, $message['signature'])) {
                $asked = (new Caller($this->state))->call($this->claimed, 'system/listServices', []);
                $this->state->load();
                if (!$this->verified($text, $message['signature'])) {
                    throw new Fault(self::GENERIC, isset($asked['error']) ? 0 : 6004);
                }
            }
        }
        if ($unknownKey || $this->oldKey) { // 7025, signed with the new key, sealed to the outer wwwroot
            $this->oldKey = null;
            return $this->offer($unknownKey ? 'We know nothing about the key used'
                : $this->state->data['key']['certificate']);
        }
        $attack = $this->attack();
        if ($attack !== null) {
            return $this->offer($attack);
        }
        $call = $this->readCall($text);
        if (!preg_match('#^[A-Za-z0-9]+/[A-Za-z0-9/_-]+(\.php/)?[A-Za-z0-9_-]+$#', $call['method'])) {
            throw new Fault(self::GENERIC, 6010);
        }
        if ($call['method'] !== 'system/keyswap' && !($this->seen['signed'] && $this->seen['encrypted'])) {
            throw new Fault(self::GENERIC, 6005);
        }
        return $this->wrap($this->dispatch($call, 0)); // its faults leave by serve(): plain
    }

    private function offer(string $text): string
    {
        $this->peer() ?? throw new Fault(self::GENERIC, 6003);
        $this->seen = ['encrypted' => true, 'signed' => true, 'fault' => 7025] + $this->seen;
        return $this->wrap(Xmlrpc::fault('mahara', 7025, $text));
    }

    // --- both ------------------------------------------------------------------------------------

    private function peer(): ?array
    {
        return $this->claimed === null ? null : $this->state->peer(preg_replace('#/$#', '', $this->claimed));
    }

    private function noteInner(array $message): void
    {
        $this->claimed = $this->seen['inner'] = $message['wwwroot'];
        $this->seen['timestamp'] = $message['timestamp'];
    }

    private function unwrap(array $message): ?string
    {
        $this->seen['outer'] = $message['wwwroot'];
        $opened = Envelope::open($message['data'], $message['key'], $this->state->ring());
        if (!$opened) {
            $this->seen['key'] = 'none';
            return null;
        }
        $this->seen['encrypted'] = true;
        $this->seen['key'] = $opened[1] === 0 ? 'current' : 'history';
        $this->oldKey = $opened[1] === 0 ? null : $this->state->ring()[$opened[1]];
        return $opened[0];
    }

    private function verified(string $payload, string $signature): bool
    {
        $certificate = $this->peer()['certificate'] ?? null;
        return $this->seen['verified'] = $certificate !== null
            && Envelope::verify($payload, $signature, $certificate);
    }

    // A Moodle's 7025, signed with the old key.
    private function rekeyed(): void
    {
        $offer = $this->attack() ?? ($this->oldKey ? $this->state->data['key']['certificate'] : null);
        if ($offer !== null) {
            throw new Fault($offer, 7025);
        }
    }

    // What a lie offers as a new certificate; the key that signs for it goes to oldKey.
    private function attack(): ?string
    {
        $own = $this->state->data['key'];
        switch ($this->seen['encrypted'] ? $this->lie : null) {
            case 'attack-foreign':
                $this->oldKey = $this->foreign();
                return $this->oldKey['certificate'];
            case 'attack-name':
                $this->oldKey = $own;
                return Keys::make('moodle', 'http://elsewhere.example.org')['certificate'];
            case 'attack-sentence':
                $this->oldKey = $own;
                return 'We know nothing about the key used';
            case 'loop-7025':
                $this->oldKey = $own;
                $this->state->rotate();
                return $this->state->data['key']['certificate'];
        }
        return null;
    }

    // A key that nobody gave this peer, with a certificate in its name.
    private function foreign(): array
    {
        $file = $this->state->dir . '/foreign.json';
        if (!is_file($file)) {
            file_put_contents($file, json_encode(Keys::make($this->style, $this->state->wwwroot())));
        }
        return json_decode(file_get_contents($file), true);
    }

    private function readCall(string $text): array
    {
        $call = Xmlrpc::readCall($this->style, $text);
        if ($call === null) {
            throw new Fault('no methodCall', $this->style === 'mahara' ? 6009 : 104);
        }
        $this->seen['method'] = $call['method'];
        $this->seen['params'] = $call['params'];
        return $call;
    }

    private function dispatch(array $call, int $unknown): string
    {
        $value = (new Methods($this->state, $this->claimed))->call($call['method'], $call['params'],
            $unknown);
        $utf8 = stripos($this->seen['headers']['accept-charset'] ?? '', 'utf-8') !== false;
        return Xmlrpc::response($this->style, $value, $utf8);
    }

    // Mirrors the request's envelopes, and lies where it is told to.
    private function wrap(string $document): string
    {
        $own = $inner = $outer = $this->state->wwwroot();
        $lie = $this->lie;
        $private = ($this->oldKey ?? $this->state->data['key'])['private'];
        $o = [];
        switch ($lie) {
            case 'bad-signature': $o['tamper'] = 'signature'; break;
            case 'foreign-signature': $private = $this->foreign()['private']; break;
            case 'wrong-inner': $inner = 'http://elsewhere.example.org'; break;
            case 'wrong-outer': $outer = 'http://elsewhere.example.org'; break;
            case 'wrong-both': $inner = $outer = 'http://elsewhere.example.org'; break;
            case 'future-time': $o['timestamp'] = time() + 86400; break;
            case 'stale-time': $o['timestamp'] = time() - 86400 * 400; break;
            case 'double-object': $o['double'] = 'object'; break;
            case 'doctype': $o['doctype'] = 'bomb'; break;
            case 'not-xml': $document = 'this is no XML'; break;
            case 'twice-response': $document .= $document; break;
        }
        if ($this->seen['signed'] && $lie !== 'unsigned') {
            $document = Envelope::sign($this->style, $document, $private, $inner, $o);
        }
        if ($this->seen['encrypted'] && $lie !== 'unencrypted') {
            $peer = $this->peer();
            $certificate = $lie === 'old-key-reply' ? $peer['previous'] ?? $peer['certificate']
                : $peer['certificate'];
            $document = Envelope::seal($this->style, $document, $certificate, $outer, []);
        }
        return $document;
    }
}

(new Server(new State(getenv('MNET_PEER_STATE') ?: $_SERVER['MNET_PEER_STATE'] ?? '')))->serve();
