<?php
// SPDX-License-Identifier: Apache-2.0
//
// A package by its location, as the first design of the portfolio had it: GET /package/NAME?id=TOKEN
// gives files/TOKEN, with an ETag and ranges.  files/TOKEN.lie says how it does not:
//   break          the connection ends in the middle, of a request without Range
//   break-changed  the same, and by then it is another file
//   break-always   every connection ends after a byte more
//   break-untagged the same, without an ETag
//   gzip           in that Content-Encoding, which nobody asked for
//   no-etag redirect larger:BYTES stall:S status:N wrong-range

namespace MnetPeer;

class Package
{
    public function __construct(private State $state)
    {
    }

    public function serve(): void
    {
        $this->state->log(['http' => $_SERVER['REQUEST_METHOD'], 'query' => $_SERVER['QUERY_STRING'] ?? '',
            'path' => parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH),
            'headers' => array_change_key_case(getallheaders())]);
        $file = $this->state->dir . '/files/' . basename((string) ($_GET['id'] ?? '-'));
        if (!is_file($file)) {
            http_response_code(404);
            return;
        }
        [$lie, $n] = explode(':', (string) @file_get_contents("$file.lie") . ':');
        $bytes = file_get_contents($file);
        $range = $_SERVER['HTTP_RANGE'] ?? '';
        $version = $lie === 'break-changed' && $range !== '' ? '"2"' : '"1"';
        if ($lie === 'redirect') {
            http_response_code(302);
            header('Location: ' . $this->state->wwwroot() . '/elsewhere');
            return;
        }
        if ($lie === 'status') {
            http_response_code((int) $n);
            return;
        }
        if ($lie !== 'no-etag' && $lie !== 'break-untagged') {
            header("ETag: $version");
        }
        if ($lie === 'larger') {
            $bytes .= str_repeat("\0", (int) $n);
        }
        if ($lie === 'gzip') {
            header('Content-Encoding: gzip');
            $bytes = gzencode($bytes);
        }
        $this->give($bytes, $this->from($range, $version, strlen($bytes)), $lie, (int) $n);
    }

    private function from(string $range, string $version, int $length): int
    {
        $if = $_SERVER['HTTP_IF_RANGE'] ?? $version;
        return preg_match('/^bytes=(\d+)-$/', $range, $m) && $if === $version && $m[1] < $length ? (int) $m[1] : 0;
    }

    private function give(string $bytes, int $from, string $lie, int $n): void
    {
        $length = strlen($bytes);
        header('Content-Type: application/zip');
        header('Content-Length: ' . ($length - $from));
        if ($from > 0) {
            http_response_code(206);
            $said = $lie === 'wrong-range' ? $from + 1 : $from;
            header("Content-Range: bytes $said-" . ($length - 1) . "/$length");
        }
        $most = $length - $from;
        if ($lie === 'break-always') {
            $most = 1;
        } elseif (str_starts_with($lie, 'break') || $lie === 'wrong-range') {
            $most = $from > 0 || isset($_SERVER['HTTP_RANGE']) ? $most : intdiv($length, 2);
        } elseif ($lie === 'stall') {
            echo substr($bytes, 0, intdiv($length * 99, 100));
            flush();
            sleep($n);
            return;
        }
        echo substr($bytes, $from, $most);
    }
}
