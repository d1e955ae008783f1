<?php
// SPDX-License-Identifier: Apache-2.0
//
// An application that takes packages by POST (docs/portfolio.md), for the tests: by php -S.  GET /taken
// lists what it was given, in JSON; a package with a file refuse.xml is answered 422, one with later.xml
// 503 the first time.

$taken = sys_get_temp_dir() . '/intake-' . $_SERVER['SERVER_PORT'] . '.json';
$all = json_decode((string) @file_get_contents($taken), true) ?: [];

header('Content-Type: application/json');
if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
    echo json_encode($all);
    return;
}
$one = ['fields' => $_POST, 'key' => $_SERVER['HTTP_IDEMPOTENCY_KEY'] ?? null,
    'type' => $_SERVER['CONTENT_TYPE'] ?? '', 'files' => []];
foreach ($_FILES as $field => $file) {
    $one['files'][$field] = ['name' => $file['name'], 'type' => $file['type'], 'error' => $file['error'],
        'size' => $file['size'], 'sha1' => $file['error'] ? null : sha1_file($file['tmp_name'])];
}
$names = array_column(json_decode($_POST['report'] ?? '', true)['files'] ?? [], 'path');
$before = array_filter($all, fn ($other) => $other['fields']['id'] === ($_POST['id'] ?? null));
$all[] = $one;
file_put_contents($taken, json_encode($all), LOCK_EX);
if (in_array('refuse.xml', $names, true)) {
    http_response_code(422);
    echo json_encode(['error' => 'not here']);
} elseif (in_array('later.xml', $names, true) && !$before) {
    http_response_code(503);
} else {
    http_response_code(201);
    echo json_encode(['taken' => count($all)]);
}
