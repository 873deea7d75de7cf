"""The C ABI through ctypes: as much of it as the test needs."""

import ctypes as c


class Buffer(c.Structure):
    _fields_ = [("data", c.POINTER(c.c_uint8)), ("len", c.c_size_t), ("id", c.c_uint64)]


class Bytes(c.Structure):
    _fields_ = [("data", c.c_char_p), ("len", c.c_size_t)]


class Handle(c.Structure):
    _fields_ = [("id", c.c_uint64)]


class Address(c.Structure):
    _fields_ = [("name", c.c_char_p), ("name_len", c.c_size_t), ("device", c.c_uint32)]


class NewDevice(c.Structure):
    _fields_ = [
        ("address", Address), ("identity", c.c_char_p), ("identity_len", c.c_size_t),
        ("registration_id", c.c_uint32), ("scope", c.c_uint32),
    ]


class Options(c.Structure):
    _fields_ = [
        ("size", c.c_uint32), ("dialects", c.c_uint32), ("trust", c.c_uint32), ("cached_sessions", c.c_uint32),
        ("one_time", c.c_uint32), ("one_time_kem", c.c_uint32), ("refill_below", c.c_uint32),
        ("hosted", c.c_uint32), ("rotate_after", c.c_uint64), ("keep_retired", c.c_uint64),
        ("keep_one_time", c.c_uint64),
    ]


class Sent(c.Structure):
    _fields_ = [
        ("status", c.c_int32), ("message_type", c.c_uint32), ("registration_id", c.c_uint32),
        ("device", c.c_uint32), ("bytes", Buffer), ("name", Buffer),
    ]


class Event(c.Structure):
    _fields_ = [
        ("kind", c.c_uint32), ("device", c.c_uint32), ("was_verified", c.c_uint32),
        ("old_hosting", c.c_uint32), ("new_hosting", c.c_uint32), ("notice", c.c_uint32),
        ("old_key", c.c_uint8 * 33), ("new_key", c.c_uint8 * 33), ("name", Buffer),
    ]


class Distribution(c.Structure):
    _fields_ = [("kind", c.c_uint32), ("id", c.c_char_p), ("id_len", c.c_size_t)]


class SealedContent(c.Structure):
    _fields_ = [
        ("message_type", c.c_uint32), ("hint", c.c_uint32), ("message", Bytes), ("certificate", Bytes),
        ("group_id", Bytes),
    ]


class Opened(c.Structure):
    _fields_ = [
        ("message_type", c.c_uint32), ("hint", c.c_uint32), ("sender_device", c.c_uint32), ("reserved", c.c_uint32),
        ("sender_name", Buffer), ("sender_e164", Buffer), ("sender_identity", Buffer), ("message", Buffer),
        ("group_id", Buffer),
    ]


class FingerprintParty(c.Structure):
    _fields_ = [("identifier", Bytes), ("identity_key", Bytes)]


OK, STALE_HANDLE, NOT_FOUND, NOT_CREATED = 0, 7, 14, 32
SESSION_NOT_FOUND, UNTRUSTED_IDENTITY, DUPLICATED_MESSAGE, INVALID_SEALED = 150, 140, 137, 131


class SandiError(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


def data(value):
    return (value, len(value))


def as_bytes(value):
    return Bytes(value, len(value))


class Library:
    """A call by name: `library.device_encrypt(…)` raises SandiError unless it gives OK."""

    def __init__(self, path):
        self.c = c.CDLL(path)
        self.c.sandi_status_message.restype = c.c_char_p
        self.c.sandi_version.restype = c.c_char_p
        self.c.sandi_last_error.restype = c.c_size_t

    def status(self, name, *args):
        return getattr(self.c, "sandi_" + name)(*args)

    def last_error(self):
        text = c.create_string_buffer(256)
        self.c.sandi_last_error(text, c.c_size_t(256))
        return text.value.decode()

    def __getattr__(self, name):
        def call(*args):
            status = self.status(name, *args)
            if status != OK:
                raise SandiError(status, self.last_error())

        return call

    def take(self, buffer):
        """The bytes of a buffer, which is freed."""
        out = c.string_at(buffer.data, buffer.len) if buffer.len else b""
        self.buffer_free(c.byref(buffer))
        return out

    def get(self, name, *args):
        """A call whose last parameter is a buffer; its bytes."""
        buffer = Buffer()
        getattr(self, name)(*args, c.byref(buffer))
        return self.take(buffer)

    def handle(self, name, *args):
        """A call whose last parameter is a handle."""
        handle = Handle()
        getattr(self, name)(*args, c.byref(handle))
        return handle


def address(name, device=1):
    name = name.encode()
    return Address(name, len(name), device)
