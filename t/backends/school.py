# SPDX-License-Identifier: Apache-2.0
# The application behind a MnetBackend with Python's own XML-RPC: school.py PORT or school.py SOCKET.
import os, socketserver, sys
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = None
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = False

    def address_string(self):
        return 'local'

    def log_message(self, *words):
        pass

    def do_POST(self):
        self.server.headers = {k: v for k, v in self.headers.items() if k.lower().startswith('x-mnet')}
        super().do_POST()


class Server(SimpleXMLRPCDispatcher):
    def __init__(self, address, handler):
        self.logRequests = False
        SimpleXMLRPCDispatcher.__init__(self, allow_none=True, encoding=None, use_builtin_types=False)
        super(SimpleXMLRPCDispatcher, self).__init__(address, handler)

    def _dispatch(self, method, params):
        name = method.split('/')[-1]
        if name == 'first':
            return params[0]
        if name == 'echo':
            return list(params)
        if name == 'who':
            return self.headers
        if name == 'kind':
            return type(params[0]).__name__
        if name == 'none':
            return None
        return super()._dispatch(method, params)


class Tcp(Server, socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Unix(Server, socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


where = sys.argv[1]
if where.startswith('/'):
    server = Unix(where, Handler)
    os.chmod(where, 0o666)
else:
    server = Tcp(('127.0.0.1', int(where)), Handler)
server.register_introspection_functions()
server.serve_forever()
