<?php
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 by hand over a socket: so that a request can also be wrong.

namespace MnetPeer;

class Http
{
    // Options: timeout, chunked, gzip, content_length, truncate (bytes of body to send), slow (bytes a
    // second), from (a local address), cafile.  Answers ['status', 'headers' (lower case), 'body'].
    // With MNET_PEER_HTTP2 in the environment by curl and HTTP/2, and of these options only cafile.
    public static function request(string $url, string $method, array $headers, string $body,
        array $o = []): array
    {
        if (getenv('MNET_PEER_HTTP2')) {
            return self::curl($url, $method, $headers, $body, $o);
        }
        $at = parse_url($url);
        $tls = $at['scheme'] === 'https';
        $port = $at['port'] ?? ($tls ? 443 : 80);
        $timeout = (float) ($o['timeout'] ?? 60);
        $context = stream_context_create(['ssl' => ['verify_peer' => isset($o['cafile']),
            'verify_peer_name' => isset($o['cafile'])] + (isset($o['cafile'])
            ? ['cafile' => $o['cafile']] : []),
            'socket' => isset($o['from']) ? ['bindto' => "{$o['from']}:0"] : []]);
        $socket = @stream_socket_client(($tls ? 'ssl' : 'tcp') . '://'
            . ($o['connect'] ?? "{$at['host']}:$port"), $errno, $error, $timeout, STREAM_CLIENT_CONNECT,
            $context);
        if (!$socket) {
            throw new Trouble('transport', "cannot connect to {$at['host']}:$port: $error");
        }
        stream_set_timeout($socket, (int) $timeout, (int) (fmod($timeout, 1) * 1e6));
        if (!empty($o['gzip'])) {
            $body = gzencode($body);
            $headers['Content-Encoding'] = 'gzip';
        }
        $chunked = !empty($o['chunked']);
        if ($chunked) {
            $headers['Transfer-Encoding'] = 'chunked';
        } elseif ($method === 'POST' || $body !== '') {
            $headers['Content-Length'] = $o['content_length'] ?? strlen($body);
        }
        $host = $at['host'] . (isset($at['port']) ? ":{$at['port']}" : '');
        $head = "$method " . ($at['path'] ?? '/') . (isset($at['query']) ? "?{$at['query']}" : '')
            . " HTTP/1.1\r\n";
        foreach ($headers + ['Host' => $host, 'Accept' => '*/*', 'Connection' => 'close'] as $name => $value) {
            if ($value !== null) {
                $head .= "$name: $value\r\n";
            }
        }
        if (isset($o['truncate'])) {
            $body = substr($body, 0, (int) $o['truncate']);
        }
        if ($chunked) {
            $parts = $body === '' ? [] : str_split($body, (int) ($o['chunk'] ?? 1000));
            $body = implode('', array_map(fn ($p) => dechex(strlen($p)) . "\r\n$p\r\n", $parts))
                . (isset($o['truncate']) ? '' : "0\r\n\r\n");
        }
        self::send($socket, "$head\r\n", null);
        self::send($socket, $body, isset($o['slow']) ? (int) $o['slow'] : null);
        if (isset($o['truncate'])) {
            stream_socket_shutdown($socket, STREAM_SHUT_WR);
        }
        return self::receive($socket);
    }

    // As Moodle's own client: where TLS offers HTTP/2 it is spoken.
    private static function curl(string $url, string $method, array $headers, string $body, array $o): array
    {
        $command = ['curl', '-q', '-sS', '-i', '--noproxy', '*', '--max-time', '60', '-X', $method];
        $command[] = str_starts_with($url, 'https:') ? '--http2' : '--http2-prior-knowledge';
        array_push($command, ...(isset($o['cafile']) ? ['--cacert', $o['cafile']] : ['-k']));
        foreach ($headers + ['Expect' => null] as $name => $value) {
            array_push($command, '-H', $value === null ? "$name:" : "$name: $value");
        }
        array_push($command, ...($body !== '' ? ['--data-binary', '@-'] : []), ...[$url]);
        $process = proc_open($command, [['pipe', 'r'], ['pipe', 'w'], ['file', '/dev/null', 'w']], $pipes);
        if (!$process) {
            throw new Trouble('transport', 'there is no curl');
        }
        fwrite($pipes[0], $body);
        fclose($pipes[0]);
        $raw = (string) stream_get_contents($pipes[1]);
        $exit = proc_close($process);
        if ($exit !== 0 || !preg_match('#\AHTTP/([\d.]+) (\d{3})(.*?)\r\n\r\n#s', $raw, $head)) {
            throw new Trouble('transport', "curl ends with $exit");
        }
        $got = ['http-version' => $head[1]];
        foreach (explode("\r\n", trim($head[3])) as $line) {
            [$name, $value] = explode(':', $line, 2) + ['', ''];
            $got[strtolower(trim($name))] = trim($value);
        }
        return ['status' => (int) $head[2], 'headers' => $got, 'body' => substr($raw, strlen($head[0]))];
    }

    private static function send($socket, string $bytes, ?int $rate): void
    {
        $step = $rate ? max(1, intdiv($rate, 10)) : 65536;
        for ($at = 0, $n = strlen($bytes); $at < $n; $at += $sent) {
            $sent = @fwrite($socket, substr($bytes, $at, $step));
            if (!$sent) {
                return; // the other side has answered already, or is gone: reading will tell
            }
            if ($rate) {
                usleep(100000);
            }
        }
    }

    private static function receive($socket): array
    {
        $raw = '';
        while (!feof($socket)) {
            $piece = @fread($socket, 65536);
            if ($piece === false || ($piece === '' && stream_get_meta_data($socket)['timed_out'])) {
                break;
            }
            $raw .= $piece;
        }
        $late = stream_get_meta_data($socket)['timed_out'];
        fclose($socket);
        while (preg_match('#\AHTTP/1\.[01] 1\d\d .*?\r\n\r\n#s', $raw, $interim)) {
            $raw = substr($raw, strlen($interim[0]));
        }
        if (!preg_match('#\AHTTP/1\.[01] (\d{3})(.*?)\r\n\r\n#s', $raw, $head)) {
            throw new Trouble('transport', $late ? 'timed out' : 'no answer');
        }
        $headers = [];
        foreach (explode("\r\n", trim($head[2])) as $line) {
            if (str_contains($line, ':')) {
                [$name, $value] = explode(':', $line, 2);
                $headers[strtolower(trim($name))] = trim($value);
            }
        }
        $body = substr($raw, strlen($head[0]));
        if (stripos($headers['transfer-encoding'] ?? '', 'chunked') !== false) {
            $body = self::dechunk($body);
        }
        if (($headers['content-encoding'] ?? '') === 'gzip') {
            $body = gzdecode($body);
        } elseif (($headers['content-encoding'] ?? '') === 'deflate') {
            $body = @gzuncompress($body);
        }
        return ['status' => (int) $head[1], 'headers' => $headers, 'body' => (string) $body];
    }

    private static function dechunk(string $body): string
    {
        $out = '';
        while (preg_match('/\A([0-9a-fA-F]+)[^\r\n]*\r\n/', $body, $size)) {
            $n = hexdec($size[1]);
            if ($n === 0) {
                break;
            }
            $out .= substr($body, strlen($size[0]), $n);
            $body = substr($body, strlen($size[0]) + $n + 2);
        }
        return $out;
    }
}
