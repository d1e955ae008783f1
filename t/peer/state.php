<?php
// SPDX-License-Identifier: Apache-2.0
//
// The folder of one peer: state.json (its keys, what it knows of other sites, its switches) and
// requests.log (one line of JSON for each request it was sent).  Safe for several processes.

namespace MnetPeer;

class State
{
    public array $data;

    public function __construct(public string $dir)
    {
        if (!is_file("$dir/state.json")) {
            throw new Trouble('usage', "no peer lives in $dir");
        }
        $this->load();
    }

    public static function create(string $dir, string $style, string $wwwroot, array $options): State
    {
        if (!in_array($style, STYLES, true)) {
            throw new Trouble('usage', "no style is called $style");
        }
        if (!is_dir($dir)) {
            mkdir($dir, 0700, true);
        }
        self::write($dir, ['style' => $style, 'wwwroot' => $wwwroot,
            'key' => Keys::make($style, $wwwroot, $options), 'history' => [],
            'keep' => $style === 'mahara' ? 6 : 3, 'peers' => [], 'switches' => [], 'answers' => []]);
        return new State($dir);
    }

    private static function write(string $dir, array $data): void
    {
        $new = "$dir/state.json." . getmypid();
        file_put_contents($new, json_encode($data, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES
            | JSON_INVALID_UTF8_SUBSTITUTE));
        chmod($new, 0600);
        rename($new, "$dir/state.json");
    }

    public function load(): void
    {
        $this->data = json_decode(file_get_contents("$this->dir/state.json"), true);
    }

    // Changes it under a lock; $how takes the data by reference.
    public function change(callable $how)
    {
        $lock = fopen("$this->dir/lock", 'c');
        flock($lock, LOCK_EX);
        $this->load();
        $answer = $how($this->data);
        self::write($this->dir, $this->data);
        flock($lock, LOCK_UN);
        return $answer;
    }

    // A switch that is on for this request: true (always), a number of times, or a value with "times".
    public function take(string $name)
    {
        if (!array_key_exists($name, $this->data['switches'])) {
            return null;
        }
        return $this->change(function (array &$data) use ($name) {
            $switch = $data['switches'][$name] ?? null;
            if (is_array($switch) && isset($switch['times'])) {
                if (--$data['switches'][$name]['times'] <= 0) {
                    unset($data['switches'][$name]);
                }
                return $switch['value'] ?? true;
            }
            return $switch;
        });
    }

    public function rotate(bool $archive = true, array $options = []): void
    {
        $new = Keys::make($this->data['style'], $this->data['wwwroot'], $options);
        $this->change(function (array &$data) use ($new, $archive) {
            if ($archive) {
                array_unshift($data['history'], $data['key']);
                $data['history'] = array_slice($data['history'], 0, $data['keep']);
            }
            $data['key'] = $new;
        });
    }

    public function trust(string $wwwroot, string $pem, ?string $application = null): void
    {
        $this->change(function (array &$data) use ($wwwroot, $pem, $application) {
            $peer = $data['peers'][$wwwroot] ?? ['application' => 'moodle'];
            if (isset($peer['certificate']) && $peer['certificate'] !== $pem) {
                $peer['previous'] = $peer['certificate'];
            }
            $peer['certificate'] = $pem;
            if ($application !== null) {
                $peer['application'] = $application;
            }
            $data['peers'][$wwwroot] = $peer;
        });
    }

    public function style(): string
    {
        return $this->data['style'];
    }

    public function wwwroot(): string
    {
        return $this->data['wwwroot'];
    }

    public function peer(string $wwwroot): ?array
    {
        return $this->data['peers'][$wwwroot] ?? null;
    }

    // Current key first.
    public function ring(): array
    {
        return array_merge([$this->data['key']], $this->data['history']);
    }

    public function log(array $line): void
    {
        file_put_contents("$this->dir/requests.log", json(['time' => microtime(true)] + $line) . "\n",
            FILE_APPEND | LOCK_EX);
    }
}
