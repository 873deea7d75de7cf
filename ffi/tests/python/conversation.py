#!/usr/bin/env python3
"""A conversation over the C ABI with another implementation, through ctypes: SQLite, groups, sealed sender,
fingerprints, trust.

    conversation.py LIBRARY PEER...
"""

import ctypes as c
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from relay import NAME as BOB, Peer, b64, decode_bundle, encode_bundle, raw
from sandi import *

ALICE = "a11ce000-0000-4000-8000-000000000001"
U32, U64, SIZE = c.c_uint32, c.c_uint64, c.c_size_t


def now():
    return U64(int(time.time() * 1000))


def expect(status, call, *args):
    try:
        call(*args)
    except SandiError as error:
        assert error.status == status, error
        return error
    raise AssertionError(f"success where {status} was expected")


class Alice:
    """A device over the C ABI, and Bob behind the peer."""

    def __init__(self, library, peer, path):
        self.s, self.peer = library, peer
        path = path.encode()
        self.store = library.handle("store_sqlite", path, SIZE(len(path)))
        self.options = Options()
        library.options_default(c.byref(self.options))
        self.options.one_time = self.options.one_time_kem = 3
        self.options.refill_below = 1
        self.options.trust = 1  # block until accepted
        self.device = None

    def create(self):
        new = NewDevice(address(ALICE), None, 0, 0, 0)
        self.device = self.s.handle("device_create", self.store, c.byref(new), c.byref(self.options))

    def reopen(self):
        self.s.device_free(self.device)
        assert self.s.status("device_free", self.device) == STALE_HANDLE
        self.device = self.s.handle("device_open", self.store, c.byref(self.options))

    def start(self, bundle):
        bundle = encode_bundle(bundle)
        self.s.device_start_session(self.device, c.byref(address(BOB)), bundle, SIZE(len(bundle)), now())

    def encrypt(self, text):
        sent = Sent()
        self.s.device_encrypt(self.device, c.byref(address(BOB)), text, SIZE(len(text)), now(), c.byref(sent))
        return sent.message_type, self.s.take(sent.bytes)

    def send(self, text):
        kind, data = self.encrypt(text)
        reply = self.peer("decrypt", party="bob", peer=f"{ALICE}.1", type=kind, bytes=b64(data))
        assert raw(reply["plaintext"]) == text

    def open(self, call, *args):
        """Decrypts by a call, reads and commits."""
        received = self.s.handle(call, self.device, c.byref(address(BOB)), *args)
        text = self.s.get("received_plaintext", received)
        self.s.received_commit(received)
        self.s.received_free(received)
        return text

    def receive(self, text):
        reply = self.peer("encrypt", party="bob", peer=f"{ALICE}.1", plaintext=b64(text))
        data = raw(reply["bytes"])
        args = ("device_decrypt", U32(reply["typeNumber"]), data, SIZE(len(data)), now())
        assert self.open(*args) == text
        expect(DUPLICATED_MESSAGE, self.open, *args)


def sessions(alice, peer):
    s = alice.s
    assert s.status("device_open", alice.store, None, c.byref(Handle())) == NOT_CREATED
    alice.create()
    expect(SESSION_NOT_FOUND, alice.encrypt, b"too early")
    alice.start(peer("bundle.generate", party="bob")["bundle"])
    alice.send(b"Hello from Python")
    alice.receive(b"hello, Python")
    for n in range(5):
        alice.send(b"%d from Python" % n)
        alice.receive(b"%d to Python" % n)
    alice.reopen()
    alice.send("still here: grüße".encode())
    alice.receive(b"")
    # the peer starts
    upload = s.handle("device_replenish", alice.device, U32(0), U32(0), now())
    bundle = decode_bundle(s.get("upload_bundle", upload, U32(1), SIZE(0)))
    peer("bundle.process", party="bob", peer=f"{ALICE}.1", bundle=bundle)
    alice.receive(b"from a new session")
    alice.send(b"in the new session")
    s.device_confirm_upload(alice.device, upload, now())
    s.upload_free(upload)


def many(alice, peer):
    """One commit for several messages; one recipient that has no session."""
    s = alice.s

    class Recipient(c.Structure):
        _fields_ = [("address", Address), ("plaintext", c.c_char_p), ("plaintext_len", c.c_size_t)]

    to = [(BOB, b"one"), ("nobody", b"two"), (BOB, b"three")]
    recipients = (Recipient * 3)(*[Recipient(address(name), text, len(text)) for name, text in to])
    sent = (Sent * 3)()
    s.device_encrypt_many(alice.device, recipients, SIZE(3), now(), sent)
    assert [one.status for one in sent] == [OK, SESSION_NOT_FOUND, OK]
    for index in (2, 0):
        data = s.take(sent[index].bytes)
        fields = {"party": "bob", "peer": f"{ALICE}.1", "type": sent[index].message_type, "bytes": b64(data)}
        assert raw(peer("decrypt", **fields)["plaintext"]) == to[index][1]


def groups(alice, peer):
    s = alice.s
    uuid = "00010203-0405-0607-0809-0a0b0c0d0e0f"
    distribution = Distribution(0, bytes(range(16)), 16)
    # Bob's key, Bob's message
    key = raw(peer("group.createDistribution", party="bob", distributionId=uuid)["bytes"])
    s.device_accept_distribution(
        alice.device, c.byref(address(BOB)), c.byref(distribution), key, SIZE(len(key)), now()
    )
    for text in (b"to all", b"and again"):
        message = raw(peer("group.encrypt", party="bob", distributionId=uuid, plaintext=b64(text))["bytes"])
        args = ("device_decrypt_group", c.byref(distribution), message, SIZE(len(message)), now())
        assert alice.open(*args) == text
        expect(DUPLICATED_MESSAGE, alice.open, *args)
    # Alice's key, inside content of hers; Alice's message
    wrapper = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(c.c_uint8), c.c_size_t, Handle)

    def wrap(_, data, length, sink):
        content = b"key:" + c.string_at(data, length)
        return s.status("content_write", sink, content, SIZE(len(content)))

    members = (Address * 2)(address(ALICE), address(BOB))
    sent = s.handle(
        "device_send_to_group", alice.device, c.byref(distribution), members, SIZE(2), b"from Python", SIZE(11),
        wrapper(wrap), None, now(),
    )
    carrier = Sent()
    s.group_sent_distribution(sent, SIZE(0), c.byref(carrier))
    assert s.take(carrier.name).decode() == BOB and carrier.device == 1
    assert s.status("group_sent_distribution", sent, SIZE(1), c.byref(Sent())) == NOT_FOUND
    data = s.take(carrier.bytes)
    reply = peer("decrypt", party="bob", peer=f"{ALICE}.1", type=carrier.message_type, bytes=b64(data))
    content = raw(reply["plaintext"])
    assert content.startswith(b"key:")
    peer("group.processDistribution", party="bob", sender=f"{ALICE}.1", bytes=b64(content[4:]))
    message = Buffer()
    s.group_sent_message(sent, c.byref(message), None)
    reply = peer("group.decrypt", party="bob", sender=f"{ALICE}.1", bytes=b64(s.take(message)))
    assert raw(reply["plaintext"]) == b"from Python"
    s.group_sent_free(sent)


def sealed(alice, peer):
    s = alice.s
    key = s.get("device_identity_key", alice.device)
    root = peer("ss.trustRoot")
    server = peer("ss.serverCert", trustRootPrivate=root["privateKey"])
    signer = {"serverCert": server["bytes"], "serverPrivate": server["serverPrivate"]}
    later = int(time.time() * 1000) + 1000000
    alices = raw(peer("ss.senderCert", senderUuid=ALICE, senderKey=b64(key), expiration=later, **signer)["bytes"])
    bobs_key = peer("party.info", party="bob")["identityKey"]
    bobs = peer("ss.senderCert", senderUuid=BOB, senderKey=bobs_key, expiration=later, **signer)["bytes"]
    trust = s.handle("trust_roots", raw(root["publicKey"]), SIZE(33))
    # Alice seals
    kind, message = alice.encrypt(b"from nobody")
    content = SealedContent(kind, 1, as_bytes(message), as_bytes(alices), as_bytes(b"group"))
    blob = s.get("device_seal", alice.device, c.byref(address(BOB)), c.byref(content))
    reply = peer("ss.decrypt", party="bob", bytes=b64(blob), trustRoot=root["publicKey"], time=later - 1000,
                 localUuid=BOB, localDeviceId=1)
    assert raw(reply["plaintext"]) == b"from nobody"
    # Bob seals
    reply = peer("ss.encrypt", party="bob", peer=f"{ALICE}.1", plaintext=b64(b"to Python"), senderCert=bobs)
    blob = raw(reply["bytes"])
    opened = Opened()
    args = (alice.device, blob, SIZE(len(blob)))
    s.device_open_sealed(*args, trust, None, SIZE(0), now(), c.byref(opened))
    assert c.string_at(opened.sender_name.data, opened.sender_name.len).decode() == BOB
    message = c.string_at(opened.message.data, opened.message.len)
    kind = opened.message_type
    s.opened_free(c.byref(opened))
    assert alice.open("device_decrypt", U32(kind), message, SIZE(len(message)), now()) == b"to Python"
    # signed by somebody else
    strangers = s.handle("trust_signal", U32(0))
    expect(INVALID_SEALED, s.device_open_sealed, *args, strangers, None, SIZE(0), now(), c.byref(Opened()))
    s.trust_free(strangers)
    s.trust_free(trust)


def fingerprints(alice, peer):
    s = alice.s
    own, theirs = s.get("device_identity_key", alice.device), raw(peer("party.info", party="bob")["identityKey"])
    a, b = FingerprintParty(as_bytes(b"a"), as_bytes(own)), FingerprintParty(as_bytes(b"b"), as_bytes(theirs))
    display, scannable, back = Buffer(), Buffer(), Buffer()
    s.fingerprint(U32(2), U32(0), c.byref(a), c.byref(b), c.byref(display), c.byref(scannable))
    s.fingerprint(U32(2), U32(0), c.byref(b), c.byref(a), None, c.byref(back))
    digits = s.take(display)
    assert len(digits) == 60 and digits.isdigit()
    mine, other, match = s.take(scannable), s.take(back), U32()
    s.fingerprint_compare(mine, SIZE(len(mine)), other, SIZE(len(other)), c.byref(match))
    assert match.value == 1
    s.fingerprint_compare(mine, SIZE(len(mine)), mine, SIZE(len(mine)), c.byref(match))
    assert match.value == 0


def trust(alice, peer):
    """Bob has another identity: it is blocked, shown as an event, accepted, and works."""
    s = alice.s
    peer("party.delete", party="bob")
    peer("party.create", party="bob", name=BOB, deviceId=1)
    bundle = peer("bundle.generate", party="bob")["bundle"]
    expect(UNTRUSTED_IDENTITY, alice.start, bundle)
    expect(UNTRUSTED_IDENTITY, alice.start, bundle)
    event = Event()
    s.device_next_event(alice.device, c.byref(event), None)
    assert event.kind == 2 and s.take(event.name).decode() == BOB
    assert bytes(event.new_key) == raw(bundle["identityKey"]) != bytes(event.old_key)
    assert s.status("device_next_event", alice.device, c.byref(Event()), None) == NOT_FOUND
    s.device_accept_identity(alice.device, c.byref(address(BOB)), bytes(event.new_key), SIZE(33), now())
    s.device_next_event(alice.device, c.byref(event), None)
    assert event.kind == 1
    s.take(event.name)
    alice.start(bundle)
    alice.send(b"hello again")
    alice.receive(b"and hello to you")


def main():
    library = Library(sys.argv[1])
    peer = Peer(sys.argv[2:])
    peer("party.create", party="bob", name=BOB, deviceId=1)
    with tempfile.TemporaryDirectory() as folder:
        alice = Alice(library, peer, os.path.join(folder, "alice.db"))
        for part in (sessions, many, groups, sealed, fingerprints, trust):
            part(alice, peer)
            print(part.__name__, "ok")
        library.device_free(alice.device)
        library.store_free(alice.store)
    peer.close()


if __name__ == "__main__":
    main()
