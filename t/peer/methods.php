<?php
// SPDX-License-Identifier: Apache-2.0
//
// What the peer answers.  admin.php DIR answer METHOD JSON replaces any of these for a test.

namespace MnetPeer;

class Methods
{
    private const ECHO = 'test/echo/lib.php/';
    private const AUTH = 'auth/mnet/auth.php/';

    public function __construct(private State $state, private ?string $caller)
    {
    }

    private function table(): array
    {
        $services = $this->state->data['services'] ?? ['sso_idp' => ['user_authorise', 'keepalive_server',
            'kill_children', 'refresh_log', 'fetch_user_image', 'fetch_theme_info', 'update_enrolments'],
            'sso_sp' => ['keepalive_client', 'kill_child']];
        $table = [];
        foreach ($services as $service => $functions) {
            foreach ($functions as $function) {
                $table[str_contains($function, '/') ? $function : self::AUTH . $function] = $service;
            }
        }
        foreach (['echo', 'first', 'types', 'fail', 'slow', 'big', 'who'] as $function) {
            $table[self::ECHO . $function] = 'test';
        }
        $table['portfolio/mahara/lib.php/fetch_file'] = 'pf';
        $table += School::table($this->state->data['school'] ?? []);
        $table += Portfolio::methods($this->state);
        foreach ($this->state->data['answers'] as $method => $answer) {
            $table[$method] ??= 'test';
        }
        ksort($table);
        return $table;
    }

    public function call(string $method, array $params, int $unknown)
    {
        $answers = $this->state->data['answers'];
        if (isset($answers[$method])) {
            return $answers[$method]['value'];
        }
        if (str_starts_with($method, 'system/')) {
            return $this->system(substr($method, 7), $params);
        }
        if (!isset($this->table()[$method])) {
            throw new Fault('nosuchfunction', $unknown);
        }
        if (isset(School::table($this->state->data['school'] ?? [])[$method])) {
            return (new School($this->state, $this->caller))->call($method, $params);
        }
        if (str_starts_with($method, self::ECHO)) {
            return $this->test(substr($method, strlen(self::ECHO)), $params);
        }
        if (str_starts_with($method, self::AUTH)) {
            return $this->auth(substr($method, strlen(self::AUTH)), $params);
        }
        if (isset(Portfolio::methods($this->state)[$method])) {
            return (new Portfolio($this->state, $this->caller))->call($method, $params);
        }
        if ($method === 'portfolio/mahara/lib.php/fetch_file') {
            return $this->fetchFile(basename((string) ($params[0] ?? '')));
        }
        return '';
    }

    // How the answer is to be written: "stall:S" (at 99 %), "slow:BYTES a second", or null.
    public static ?string $pace = null;

    // A package, from files/TOKEN.  files/TOKEN.lie says how it is not what it seems:
    //   digest truncated empty junk larger:BYTES fault:CODE once stall:S slow:BYTES sleep:S
    private function fetchFile(string $token): string
    {
        $file = $this->state->dir . '/files/' . $token;
        if (!is_file($file)) {
            throw new Fault('mnet_notoken', 8009);
        }
        $bytes = file_get_contents($file);
        [$lie, $n] = explode(':', (string) @file_get_contents("$file.lie") . ':');
        switch ($lie) {
            case 'digest': $bytes[0] = chr(ord($bytes[0]) ^ 1); break;
            case 'truncated': $bytes = substr($bytes, 0, intdiv(strlen($bytes), 2)); break;
            case 'empty': $bytes = ''; break;
            case 'junk': return 'This is not base64: it has dots.';
            case 'larger': $bytes .= str_repeat("\0", (int) $n); break;
            case 'fault': throw new Fault('as asked', (int) $n);
            case 'once': unlink($file); break;
            case 'sleep': usleep((int) (1e6 * (float) $n)); break;
            case 'stall': case 'slow': self::$pace = "$lie:$n"; break;
        }
        return base64_encode($bytes);
    }

    private function system(string $function, array $params)
    {
        $mahara = $this->state->style() === 'mahara';
        switch ($function) {
            case 'keyswap':
                return $this->state->data['key']['certificate'];
            case 'listServices':
                if ($mahara) {
                    return array_map(fn ($n) => ['name' => $n, 'apiversion' => 1, 'publish' => 1,
                        'subscribe' => 1], ['sso_in', 'sso_out', 'portfolio_in', 'repository_out']);
                }
                return array_map(fn ($n) => ['name' => $n, 'apiversion' => '1', 'publish' => '1',
                    'subscribe' => '1'], array_values(array_unique($this->table())));
            case 'listMethods':
                $table = $this->table();
                if (($params[0] ?? '') !== '') {
                    $table = array_filter($table, fn ($s) => $s === $params[0]);
                }
                return $mahara ? array_map(fn ($p) => 'function_of_' . basename($p),
                    array_combine(array_keys($table), array_keys($table))) : array_keys($table);
            case 'methodSignature':
                return isset($this->table()[$params[0] ?? '']) ? ['parameters' => [], 'return' =>
                    ['type' => 'string', 'description' => '']] : false;
            case 'methodHelp':
                return isset($this->table()[$params[0] ?? '']) ? 'Help for ' . $params[0] : false;
        }
        throw new Fault('nosuchfunction', $mahara ? 0 : 7018);
    }

    // Of every type and kind of text that the encoders can write.
    public static function types(): array
    {
        return ['int' => -42, 'double' => 3.5, 'true' => true, 'false' => false, 'latin' => 'Ångström é',
            'kanji' => '漢字', 'emoji' => '😀', 'mixed' => "Ōkami & <b>\"é'</b>", 'empty' => '',
            'list' => [1, 'two', [3]], 'none' => [], 'struct' => ['last log id' => '0', 'é' => 'ï'],
            'lines' => "one\ntwo", 'number' => '0042', 'space' => '  kept  '];
    }

    private function test(string $function, array $params)
    {
        switch ($function) {
            case 'echo': return $params;
            case 'first': return $params[0] ?? null;
            case 'types': return self::types();
            case 'fail': throw new Fault((string) ($params[1] ?? 'as asked'), (int) ($params[0] ?? 1));
            case 'slow': usleep((int) (1e6 * (float) ($params[0] ?? 1))); return true;
            case 'big': return str_repeat('0123456789abcdef', (int) ($params[0] ?? 65536) >> 4);
            case 'who': return (string) $this->caller;
        }
    }

    private function auth(string $function, array $params)
    {
        $signOn = new SignOn($this->state);
        return match ($function) {
            'user_authorise' => $signOn->userAuthorise($params, $this->caller),
            'keepalive_server' => $signOn->keepaliveServer($params, $this->caller),
            'refresh_log' => ['code' => 0, 'message' => 'All ok'],
            'fetch_user_image' => $signOn->fetchUserImage($params),
            'fetch_theme_info' => ['themename' => 'plain', 'logourl' => $this->state->wwwroot() . '/logo'],
            'kill_children' => $signOn->killChildren($params, $this->caller),
            'kill_child' => $signOn->killChild($params, $this->caller),
            default => true,
        };
    }
}
