<?php
// SPDX-License-Identifier: Apache-2.0
// The application behind a MnetBackend, as XML-RPC (PHP's xmlrpc extension).
$params = xmlrpc_decode_request(file_get_contents('php://input'), $method, 'utf-8');
$said = match (basename($method)) {
    'first'  => $params[0],
    'echo'   => $params,
    'who'    => array_intersect_key($_SERVER, array_flip(preg_grep('/^HTTP_X_MNET/', array_keys($_SERVER)))),
    'fail'   => ['faultCode' => $params[0], 'faultString' => $params[1]],
    'system.listMethods' => array_map(fn($name) => "local/php/api.php/$name", ['first', 'who', 'fail']),
    'system.methodHelp' => "Help for {$params[0]}.",
    'system.methodSignature' => [['string', 'int', 'struct']],
    default  => ['faultCode' => 1, 'faultString' => "no $method here"],
};
header('Content-Type: text/xml');
echo xmlrpc_encode_request(null, $said, ['encoding' => 'utf-8', 'escaping' => 'markup']);
