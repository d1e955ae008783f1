#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes messages.tsv, what the C tests read, from manifest.json.

Run it in this directory after the manifest changed.  One line a message; "-" stands for what the
message has not.
"""
import json

COLUMNS = ("wire", "sender", "receiver", "role", "encrypted", "signed", "outer_wwwroot", "wwwroot",
           "timestamp", "sessionkey", "decrypt_key", "signature_cert", "signature_valid",
           "signed_file", "plain_file")


def cell(value):
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


with open("manifest.json", encoding="utf-8") as source:
    exchanges = json.load(source)["exchanges"]
with open("messages.tsv", "w", encoding="utf-8", newline="\n") as out:
    out.write("\t".join(COLUMNS) + "\n")
    for exchange in exchanges:
        for message in exchange["messages"]:
            out.write("\t".join(cell(message.get(name)) for name in COLUMNS) + "\n")
