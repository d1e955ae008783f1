// SPDX-License-Identifier: Apache-2.0
// The application behind a MnetBackend with format=json: node school.mjs PORT or school.mjs SOCKET.
import http from 'node:http';
import { chmodSync } from 'node:fs';

const methods = {
    first: params => params[0],
    echo: params => params,
    who: (params, headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-mnet'))),
    kind: params => (params[0] === null ? 'null' : Array.isArray(params[0]) ? 'array' : typeof params[0]),
    asked: params => JSON.stringify(params),
    fail: ([code, message]) => { throw { code, message }; },
    'system.listMethods': () => ['echo', 'first'].map(name => `local/node/api.js/${name}`),
    'system.methodHelp': ([path]) => `Help for ${path}.`,
    'system.methodSignature': () => [['string', 'int', 'struct']],
};

const server = http.createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const call = JSON.parse(Buffer.concat(pieces).toString());
    const answer = { jsonrpc: '2.0', id: call.id };
    const method = methods[call.method.split('/').pop()];
    try {
        if (!method) throw { code: -32601, message: 'Method not found' };
        answer.result = method(call.params, request.headers) ?? null;
    } catch (error) {
        answer.error = { code: error.code ?? -32603, message: error.message };
    }
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(answer));
});
const where = process.argv[2];
if (where.startsWith('/')) server.listen(where, () => chmodSync(where, 0o666));
else server.listen(Number(where), '127.0.0.1');
