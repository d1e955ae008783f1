<?php
// SPDX-License-Identifier: Apache-2.0
//
// The peer as one that is sent packages, as a Mahara is (protocol 5.5, 7.1 and 7.2; 7.3 for the first
// design): it promises, is told, calls back for the package, holds it against what was said of it, and
// keeps what came in received/.  Its queue is worked by `php portfolio.php DIR`.
//
// Switch "portfolio": {users: [...] (default: whoever is named), sendtype: immediate|queue|none,
//   direct: true (offers the first design's methods alone), fail: TEXT (a fault after the fetch),
//   false: true (status false after the fetch), twice: true (fetches once more, and keeps the answer),
//   deaf: true (says complete and fetches nothing), lost: true (does what it should, and gives no answer)}

namespace MnetPeer;

class Portfolio
{
    public const MAHARA = 'portfolio/mahara/lib.php/';
    private array $how;

    public function __construct(private State $state, private ?string $caller)
    {
        $this->how = $state->data['switches']['portfolio'] ?? [];
    }

    public static function methods(State $state): array
    {
        if ($state->data['switches']['portfolio']['direct'] ?? false) {
            return ['portfolio/content_intent' => 'pf', 'portfolio/content_ready' => 'pf'];
        }
        return [self::MAHARA . 'send_content_intent' => 'pf', self::MAHARA . 'send_content_ready' => 'pf'];
    }

    public function call(string $method, array $params)
    {
        switch ($method) {
            case self::MAHARA . 'send_content_intent': return $this->intent($params[0] ?? null, false);
            case 'portfolio/content_intent': return $this->intent($params[0]['username'] ?? null, true);
            case self::MAHARA . 'send_content_ready': return $this->ready(...array_pad($params, 5, null));
            case 'portfolio/content_ready': return $this->located(...array_pad($params, 4, null));
        }
        throw new Fault('nosuchfunction', 0);
    }

    private function intent($user, bool $direct)
    {
        if (!is_string($user) || (isset($this->how['users']) && !in_array($user, $this->how['users'], true))) {
            throw new Fault("Could not find user $user for $this->caller", 0);
        }
        if ($this->how['refuse'] ?? false) {
            throw new Fault($this->how['refuse'], 0);
        }
        $type = $this->how['sendtype'] ?? 'immediate';
        $token = sha1(random_bytes(20));
        if ($type !== 'none') {
            $this->state->change(function (array &$data) use ($token, $user) {
                $data['queue'][$token] = ['host' => $this->caller, 'user' => $user, 'ready' => false,
                    'expires' => time() + 86400];
            });
        }
        return $direct ? ['id' => $token, 'type' => ['immediate' => 'queandwait', 'queue' => 'queonly', 'none' => 'no'][$type]]
            : ['sendtype' => $type, 'token' => $token];
    }

    private function row($token, $user): array
    {
        $row = is_string($token) ? $this->state->data['queue'][$token] ?? null : null;
        if (!$row || $row['host'] !== $this->caller || ($user !== null && $row['user'] !== $user)) {
            throw new Fault("Could not find queue record with given token for username $user for $this->caller", 0);
        }
        if ($row['expires'] < time()) {
            throw new Fault('Queue record has expired', 0);
        }
        return $row;
    }

    private static function checkData($data, bool $strict): void
    {
        $bad = fn (string $what) => throw new Fault("Invalid importdata: $what", 0);
        if ($strict && (!is_array($data['filesmanifest'] ?? null) || !$data['filesmanifest'])) {
            $bad('Missing files manifest in import data');
        }
        foreach ($data['filesmanifest'] ?? [] as $sha1 => $file) {
            if (!is_string($file['sha1'] ?? null) || $file['sha1'] !== (string) $sha1 || !is_string($file['filename'] ?? null)
                || !is_numeric($file['size'] ?? null)) {
                $bad('a file of the manifest');
            }
        }
        if ($strict && !preg_match('/^[0-9a-f]{40}$/', $data['zipfilesha1'] ?? '')) {
            $bad('Missing zipfile sha1 in import data');
        }
        if ($strict && !is_numeric($data['totalsize'] ?? null)) {
            $bad('missing totalsize');
        }
    }

    private function ready($token, $user, $format, $data, $now)
    {
        $row = $this->row($token, $user);
        if (!in_array($format, ['file', 'leap2a'], true)) {
            throw new Fault("Invalid format $format", 0);
        }
        self::checkData($data, true);
        return $this->go($token, ['format' => $format, 'data' => $data, 'wait' => $now] + $row, (bool) $now);
    }

    private function located($id, $location, $wait, $data)
    {
        $row = $this->row($id, null);
        self::checkData($data, false);
        return $this->go($id, ['format' => $data['format'] ?? 'file', 'data' => $data, 'wait' => $wait,
            'location' => $location] + $row, (bool) $wait);
    }

    private function go(string $token, array $row, bool $now)
    {
        if ($this->how['deaf'] ?? false) {
            return ['status' => true, 'type' => 'complete', 'querystring' => '?'];
        }
        $this->state->change(function (array &$data) use ($token, $row) {
            $data['queue'][$token] = ['ready' => true] + $row;
        });
        if ($now) {
            $this->take($token, $row);
        }
        if ($this->how['lost'] ?? false) {
            http_response_code(500);
            exit;
        }
        if (!$now) {
            return ['status' => true, 'type' => 'queued'];
        }
        if ($this->how['fail'] ?? false) {
            throw new Fault($this->how['fail'], 0);
        }
        if ($this->how['false'] ?? false) {
            return ['status' => false];
        }
        return ['status' => true, 'type' => 'complete',
            'querystring' => $row['format'] === 'file' ? '?folder=41&file=97&' : '?'];
    }

    // --- the package ---

    private function fetch(string $token, array $row): string
    {
        if (isset($row['location'])) {
            $url = $row['location'] . (str_contains($row['location'], '?') ? '&' : '?') . "id=$token";
            $got = Http::request($url, 'GET', [], '');
            if ($got['status'] !== 200) {
                throw new Fault("the location answers {$got['status']}", 0);
            }
            return $got['body'];
        }
        $caller = new Caller($this->state);
        $got = $caller->call($row['host'], self::MAHARA . 'fetch_file', [$token]);
        if (!is_string($got['result'] ?? null)) {
            throw new Fault('fetch_file: ' . json($got['fault'] ?? $got['error'] ?? null), 0);
        }
        if ($this->how['twice'] ?? false) {
            $again = $caller->call($row['host'], self::MAHARA . 'fetch_file', [$token]);
            $this->state->change(function (array &$data) use ($again) {
                $data['again'][] = $again['fault']['code'] ?? (isset($again['result']) ? 'given' : $again['error'] ?? null);
            });
        }
        $bytes = base64_decode($got['result'], true);
        if ($bytes === false) {
            throw new Fault('fetch_file: not base64', 0);
        }
        return $bytes;
    }

    // A zip's files, by its central directory.
    public static function unzip(string $zip): array
    {
        $end = strrpos($zip, "PK\5\6");
        if (!str_starts_with($zip, 'PK') || $end === false) {
            throw new Fault('it is no zip', 0);
        }
        ['n' => $n, 'at' => $at] = unpack('vn/Vsize/Vat', substr($zip, $end + 10, 10));
        $files = [];
        for (; $n > 0; $n--) {
            $h = unpack('vby/vneed/vflags/vmethod/vtime/vdate/Vcrc/Vpacked/Vsize/vname/vextra/vcomment/vdisk/vint/Vext/Vlocal',
                substr($zip, $at + 4, 42));
            $name = substr($zip, $at + 46, $h['name']);
            $l = unpack('vname/vextra', substr($zip, $h['local'] + 26, 4));
            $packed = substr($zip, $h['local'] + 30 + $l['name'] + $l['extra'], $h['packed']);
            $files[$name] = $h['method'] === 8 ? gzinflate($packed) : $packed;
            if (crc32((string) $files[$name]) !== $h['crc']) {
                throw new Fault("the checksum of $name is wrong", 0);
            }
            $at += 46 + $h['name'] + $h['extra'] + $h['comment'];
        }
        return $files;
    }

    // Fetches, checks as Mahara's importers do, keeps it and takes it off the queue.
    public function take(string $token, array $row): void
    {
        $zip = $this->fetch($token, $row);
        $data = $row['data'];
        if (isset($data['zipfilesha1']) && sha1($zip) !== $data['zipfilesha1']) {
            throw new Fault('the zip is not the one that was announced', 0);
        }
        $files = self::unzip($zip);
        $known = $total = 0;
        foreach ($files as $content) {
            $known += isset($data['filesmanifest'][sha1($content)]);
            $total += strlen($content);
        }
        $manifest = $data['filesmanifest'] ?? [];
        if ($row['format'] === 'file' && $manifest && ($known !== count($manifest)
            || array_filter(array_keys($files), fn ($n) => str_contains($n, '/')))) {
            throw new Fault('Files received did not exactly match what was in the manifest', 0);
        }
        if ($row['format'] === 'leap2a' && !isset($files['leap2a.xml'])) {
            throw new Fault('there is no leap2a.xml', 0);
        }
        $dir = "{$this->state->dir}/received";
        @mkdir($dir);
        file_put_contents("$dir/$token.zip", $zip);
        $this->state->change(function (array &$all) use ($token, $row, $files, $total, $zip) {
            $all['received'][] = ['token' => $token, 'user' => $row['user'], 'format' => $row['format'],
                'types' => [gettype($row['wait']), gettype($row['data']['totalsize'] ?? null), gettype($row['data']['zipfilesize'] ?? null)],
                'sha1' => sha1($zip), 'size' => strlen($zip), 'total' => $total, 'said' => $row['data']['totalsize'] ?? null,
                'names' => array_column($row['data']['filesmanifest'] ?? [], 'filename'),
                'files' => array_map('sha1', $files)];
            unset($all['queue'][$token]);
        });
    }

    public static function work(State $state): array
    {
        $done = ['taken' => 0, 'failed' => []];
        foreach ($state->data['queue'] ?? [] as $token => $row) {
            if (!$row['ready']) {
                continue;
            }
            try {
                (new self($state, $row['host']))->take((string) $token, $row);
                $done['taken']++;
            } catch (Fault $e) {
                $done['failed'][] = $e->getMessage();
            }
        }
        return $done;
    }
}

if (realpath($_SERVER['SCRIPT_FILENAME'] ?? '') === __FILE__) {
    require_once __DIR__ . '/lib.php';
    echo json(Portfolio::work(new State($argv[1]))), "\n";
}
