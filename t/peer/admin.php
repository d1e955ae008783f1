<?php
// SPDX-License-Identifier: Apache-2.0
//
//   php admin.php DIR create STYLE WWWROOT [JSON-OPTIONS]   (cn, alt, bits, days, name)
//   php admin.php DIR rotate [JSON-OPTIONS]   DIR forget-and-rotate   (the old key is not kept)
//   php admin.php DIR trust WWWROOT FILE [APPLICATION]
//   php admin.php DIR set JSON                (switches; null removes one)
//   php admin.php DIR answer METHOD JSON      (what a method answers from now on)
//   php admin.php DIR user NAME JSON          (a user of its own: firstname, lastname, email, ...)
//   php admin.php DIR change JSON             (style, keep, wwwroot, ...)
//   php admin.php DIR show                    (everything but private keys)
//   php admin.php DIR certificate|private-key
//
// JSON may be - for standard input.

namespace MnetPeer;

require __DIR__ . '/lib.php';

function admin(string $dir, string $command, array $a): void
{
    $json = fn (int $i) => json_decode(($a[$i] ?? '') === '-' ? stream_get_contents(STDIN) : $a[$i] ?? '[]', true,
        512, JSON_THROW_ON_ERROR);
    if ($command === 'create') {
        State::create($dir, $a[0], $a[1], $json(2));
        return;
    }
    $state = new State($dir);
    $merge = fn (string $part, array $new) => $state->change(function (array &$data) use ($part, $new) {
        $data[$part] = array_filter(array_merge($data[$part], $new), fn ($v) => $v !== null);
    });
    switch ($command) {
        case 'rotate': $state->rotate(true, $json(0)); break;
        case 'forget-and-rotate': $state->rotate(false); break;
        case 'trust': $state->trust($a[0], file_get_contents($a[1]), $a[2] ?? null); break;
        case 'set': $merge('switches', $json(0)); break;
        case 'answer': $merge('answers', [$a[0] => ['value' => $json(1)]]); break;
        case 'user': SignOn::addUser($state, $a[0], $json(1)); break;
        case 'change':
            $state->change(function (array &$data) use ($json) {
                $data = array_merge($data, $json(0));
            });
            break;
        case 'show':
            $data = $state->data;
            unset($data['key']['private']);
            foreach ($data['history'] as &$old) {
                unset($old['private']);
            }
            echo json($data), "\n";
            break;
        case 'certificate': echo $state->data['key']['certificate']; break;
        case 'private-key': echo $state->data['key']['private']; break;
        default: throw new Trouble('usage', "no command is called $command");
    }
}

try {
    admin($argv[1] ?? '', $argv[2] ?? '', array_slice($argv, 3));
} catch (Trouble $e) {
    fwrite(STDERR, $e->getMessage() . "\n");
    exit($e->kind === 'usage' ? 2 : 1);
}
