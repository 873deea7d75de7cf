#!/usr/bin/env python3
"""Runs a program that uses the C ABI and lets it talk to another implementation.

    relay.py PEER... -- PROGRAM...

PEER is a process of the JSON-lines protocol of interop/peers/libsignal/README.md: sandi-peer, or official
libsignal. PROGRAM writes a request a line and reads an answer a line:

    hello NAME DEVICE      -> ok NAME DEVICE    who the program is; who the peer is
    bundle                 -> ok HEX            a pre-key bundle of the peer, in the encoding of docs/ffi.md
    start HEX              -> ok                the peer starts a session from the program's bundle
    deliver TYPE HEX       -> ok HEX            the peer decrypts; its plaintext
    receive HEX            -> ok TYPE HEX       the peer encrypts that plaintext

What the peer refuses is answered with "error KIND". The program says by its exit code whether it got what it
expected; the relay checks that there was a conversation in both directions.
"""

import base64
import json
import subprocess
import sys

NAME = "b0b0b0b0-0000-4000-8000-000000000002"


def b64(data):
    return base64.b64encode(data).decode()


def raw(text):
    return base64.b64decode(text)


def encode_bundle(bundle):
    """The JSON of the peer, in the encoding of docs/ffi.md."""
    out = b"\x01" + bundle["registrationId"].to_bytes(4, "big") + bytes([bundle["deviceId"]])
    out += raw(bundle["identityKey"])
    out += bundle["signedPreKeyId"].to_bytes(4, "big")
    out += raw(bundle["signedPreKey"]) + raw(bundle["signedPreKeySignature"])
    one_time, kem = bundle.get("preKeyId") is not None, bundle.get("kyberPreKeyId") is not None
    out += bytes([(1 if one_time else 0) | (2 if kem else 0)])
    if one_time:
        out += bundle["preKeyId"].to_bytes(4, "big") + raw(bundle["preKey"])
    if kem:
        out += bundle["kyberPreKeyId"].to_bytes(4, "big")
        out += raw(bundle["kyberPreKeySignature"]) + raw(bundle["kyberPreKey"])
    return out


def decode_bundle(data):
    """The way back."""
    at = 0

    def take(n):
        nonlocal at
        piece = data[at : at + n]
        assert len(piece) == n, "bundle is too short"
        at += n
        return piece

    def number(n):
        return int.from_bytes(take(n), "big")

    assert number(1) == 1, "version of the encoding"
    bundle = {"registrationId": number(4), "deviceId": number(1), "identityKey": b64(take(33))}
    bundle["signedPreKeyId"] = number(4)
    bundle["signedPreKey"], bundle["signedPreKeySignature"] = b64(take(33)), b64(take(64))
    flags = number(1)
    for field in ["preKeyId", "preKey", "kyberPreKeyId", "kyberPreKey", "kyberPreKeySignature"]:
        bundle[field] = None
    if flags & 1:
        bundle["preKeyId"], bundle["preKey"] = number(4), b64(take(33))
    if flags & 2:
        bundle["kyberPreKeyId"] = number(4)
        bundle["kyberPreKeySignature"], bundle["kyberPreKey"] = b64(take(64)), b64(take(1569))
    assert at == len(data), "bytes after the bundle"
    return bundle


class Refused(Exception):
    """The peer has answered with an error; its kind."""


class Peer:
    """A process of the JSON-lines protocol."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.id = 0

    def __call__(self, op, **fields):
        self.id += 1
        request = {"id": self.id, "op": op, **fields}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the peer has ended")
        reply = json.loads(line)
        if "error" in reply:
            raise Refused(reply["error"]["kind"])
        return reply

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Relay:
    """One program and one peer."""

    def __init__(self, peer):
        self.peer = peer
        self.program = None
        self.delivered = self.received = 0
        peer("party.create", party="bob", name=NAME, deviceId=1)

    def answer(self, words):
        match words:
            case ["hello", name, device]:
                self.program = {"name": name, "deviceId": int(device)}
                return f"{NAME} 1"
            case ["bundle"]:
                return encode_bundle(self.peer("bundle.generate", party="bob")["bundle"]).hex()
            case ["start", bundle]:
                bundle = decode_bundle(bytes.fromhex(bundle))
                self.peer("bundle.process", party="bob", peer=self.program, bundle=bundle)
                return ""
            case ["deliver", kind, data]:
                data = b64(bytes.fromhex(data))
                reply = self.peer("decrypt", party="bob", peer=self.program, type=int(kind), bytes=data)
                self.delivered += 1
                return raw(reply["plaintext"]).hex()
            case ["receive", plaintext]:
                plaintext = b64(bytes.fromhex(plaintext))
                reply = self.peer("encrypt", party="bob", peer=self.program, plaintext=plaintext)
                self.received += 1
                return f"{reply['typeNumber']} {raw(reply['bytes']).hex()}"
        raise ValueError(f"no such request: {words[:1]}")


def main():
    at = sys.argv.index("--")
    peer = Peer(sys.argv[1:at])
    relay = Relay(peer)
    program = subprocess.Popen(sys.argv[at + 1 :], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in program.stdout:
        try:
            answer = "ok " + relay.answer(line.split())
        except Refused as refused:
            answer = f"error {refused}"
        program.stdin.write(answer.strip() + "\n")
        program.stdin.flush()
    code = program.wait(timeout=60)
    peer.close()
    print(f"{relay.delivered} messages to the peer, {relay.received} from it, exit code {code}")
    if code != 0 or relay.delivered < 3 or relay.received < 3:
        sys.exit("FAILED")


if __name__ == "__main__":
    main()
