#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A caller whose XML-RPC is Python's own (xmlrpc.client); the PHP client signs, seals and sends.

    client.py [--encoding NAME] --state DIR --to WWWROOT [option of client.php ...] METHOD JSON

In JSON {"bytes!": BASE64}, {"datetime!": "20260102T03:04:05"} and {"nil!": true} are typed values.
Prints what client.php prints, with "python": what xmlrpc.client makes of the answering document
({"result": ...} or {"fault": [code, text]}).
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import xmlrpc.client

HERE = os.path.dirname(os.path.abspath(__file__))


def typed(value):
    """A value from JSON, with the types that JSON lacks."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"bytes!"}:
            return xmlrpc.client.Binary(base64.b64decode(value["bytes!"]))
        if set(value) == {"datetime!"}:
            return xmlrpc.client.DateTime(value["datetime!"])
        if set(value) == {"nil!"}:
            return None
        return {name: typed(item) for name, item in value.items()}
    return value


def understood(document):
    """What Python reads in the answer."""
    try:
        return {"result": xmlrpc.client.loads(document)[0][0]}
    except xmlrpc.client.Fault as fault:
        return {"fault": [fault.faultCode, fault.faultString]}


def main(arguments):
    encoding = "utf-8"
    if arguments[:1] == ["--encoding"]:
        encoding = arguments[1]
        arguments = arguments[2:]
    *options, method, params = arguments
    if params == "-":
        params = sys.stdin.read()
    document = xmlrpc.client.dumps(tuple(typed(json.loads(params))), method, encoding=encoding,
                                   allow_none=True)
    with tempfile.NamedTemporaryFile(suffix=".xml") as file:
        file.write(document.encode(encoding, "xmlcharrefreplace"))
        file.flush()
        environment = dict(os.environ, OPENSSL_CONF=os.path.join(HERE, "openssl-legacy.cnf"))
        said = subprocess.run([os.environ.get("MNET_TEST_PHP", "php"), os.path.join(HERE, "client.php"),
                               "--xml", file.name, *options, method], env=environment, check=False,
                              stdout=subprocess.PIPE)
    reply = json.loads(said.stdout)
    if "document" in reply and not reply.get("error", {}).get("kind") == "xmlrpc":
        reply["python"] = understood(reply["document"])
    print(json.dumps(reply))
    return said.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
