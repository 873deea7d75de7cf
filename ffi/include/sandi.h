/* sandi: end-to-end encrypted messaging, wire-compatible with Signal and with the WhatsApp-family dialect.
 *
 * Made by cbindgen; do not edit. How to use it, and what each way to hold it wrong gives: docs/ffi.md.
 *
 * - Every call gives a SandiStatus (what is named `NullPointer` here is SANDI_STATUS_NULL_POINTER); outputs are set to
 *   nothing first, and to their value on success alone.
 * - Handles are numbers that the library knows. A stale, forged or mistaken one gives an error; {0} is none.
 * - Lengths are in bytes and always explicit; text is UTF-8 and not terminated, unless a function says so.
 * - What comes in by pointer is borrowed for the call. What goes out in a SandiBuffer is the library's until
 *   sandi_buffer_free, which wipes it.
 * - Functions may be called from any thread. Calls on one object wait for each other.
 * - Times are milliseconds since 1970, given by the program.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */

#ifndef SANDI_H
#define SANDI_H

#include <stddef.h>
#include <stdint.h>
/* A build without an operating system (`--no-default-features`): define SANDI_BARE. A build without SQLite: define
 * SANDI_NO_SQLITE. */
#if !defined(SANDI_BARE)
#define SANDI_STD
#if !defined(SANDI_NO_SQLITE)
#define SANDI_SQLITE
#endif
#endif


// No incremental MAC.
#define SANDI_INCREMENTAL_NONE 0

// An incremental MAC over the whole blob.
#define SANDI_INCREMENTAL_WHOLE_BLOB 1

// An incremental MAC over the blob without the MAC at its end.
#define SANDI_INCREMENTAL_WITHOUT_MAC 2

// All devices of an account share one identity key, as Signal has it.
#define SANDI_SCOPE_ACCOUNT 0

// Every device has its own, as the WhatsApp family has it.
#define SANDI_SCOPE_DEVICE 1

// `id` is a distribution id of 16 bytes: Signal.
#define SANDI_DISTRIBUTION_ID 0

// `id` is the group's id as text: the older form, and the WhatsApp family's.
#define SANDI_DISTRIBUTION_GROUP 1

// Only the user's own devices can read, or those that a business runs itself.
#define SANDI_HOSTING_END_TO_END 0

// Somebody else can; nothing says who.
#define SANDI_HOSTING_UNKNOWN_HOST 1

// A company that manages the business's messages can.
#define SANDI_HOSTING_THIRD_PARTY 2

// Meta can, on behalf of the business.
#define SANDI_HOSTING_META 3

// Nothing is known, or nothing was agreed to.
#define SANDI_HOSTING_NONE 255

// The addresses of all of a user's devices; as the server cannot make it up, this and the next five bind.
#define SANDI_SIGNAL_ADDRESSES 1

// The types of a user's devices, in their verified identities.
#define SANDI_SIGNAL_DEVICE_TYPE 2

// The account's type, in a verified device identity or key-index list.
#define SANDI_SIGNAL_ACCOUNT_TYPE 3

// The account's type, in a message that decrypted.
#define SANDI_SIGNAL_MESSAGE 4

// The hosted state of a scanned security code.
#define SANDI_SIGNAL_SCAN 5

// The flag of a group, in a message that decrypted.
#define SANDI_SIGNAL_GROUP_MESSAGE 6

// The business profile: no more than the server's word.
#define SANDI_SIGNAL_PROFILE 101

// The flag of a group's record: no more than the server's word.
#define SANDI_SIGNAL_GROUP_RECORD 102

// A peer's identity key is another one than before, and was accepted. Show it to the user.
#define SANDI_EVENT_IDENTITY_CHANGED 1

// A peer's identity key is another one than before, and waits for `sandi_device_accept_identity`.
#define SANDI_EVENT_IDENTITY_BLOCKED 2

// Who can read the chat with a user or in a group is somebody else than before. Show it to the user.
#define SANDI_EVENT_HOSTING_CHANGED 3

// A picture.
#define SANDI_MEDIA_IMAGE 0

// A sticker.
#define SANDI_MEDIA_STICKER 1

// A video.
#define SANDI_MEDIA_VIDEO 2

// A sound file.
#define SANDI_MEDIA_AUDIO 3

// A voice message.
#define SANDI_MEDIA_VOICE 4

// A document of any type.
#define SANDI_MEDIA_DOCUMENT 5

// The thumbnail of a link preview.
#define SANDI_MEDIA_LINK_THUMBNAIL 6

// A history synchronisation blob.
#define SANDI_MEDIA_HISTORY 7

// An app-state snapshot or external patch.
#define SANDI_MEDIA_APP_STATE 8

// The archive of a sticker pack.
#define SANDI_MEDIA_STICKER_PACK 9

// Any other kind, by its info string.
#define SANDI_MEDIA_CUSTOM 255

// A message in a session.
#define SANDI_MESSAGE_SIGNAL 2

// A message that starts a session, until the peer has answered.
#define SANDI_MESSAGE_PRE_KEY 3

// A message to a group.
#define SANDI_MESSAGE_SENDER_KEY 7

// What goes unencrypted: a request to send again.
#define SANDI_MESSAGE_PLAINTEXT 8

// Of `sandi_device_has_session`: established with a KEM.
#define SANDI_REQUIRE_PQXDH 1

// Of `sandi_device_has_session`: with SPQR.
#define SANDI_REQUIRE_SPQR 2

// Of `sandi_device_repair_session`: nothing was damaged.
#define SANDI_REPAIRED_SOUND 0

// Damaged states are forgotten; the others are kept.
#define SANDI_REPAIRED_PARTLY 1

// Nothing could be kept: sending needs a new session.
#define SANDI_REPAIRED_FORGOTTEN 2

// Today's Signal: session version 4, with SPQR.
#define SANDI_DIALECTS_V4 0

// The WhatsApp family: session version 3.
#define SANDI_DIALECTS_V3 1

// Version 4 where the peer's bundle has a KEM pre-key, else version 3.
#define SANDI_DIALECTS_V3_OR_V4 2

// Version 4 without SPQR, for peers of 2023 to 2025.
#define SANDI_DIALECTS_V4_WITHOUT_SPQR 3

// A new identity key replaces the old one, and the change is an event.
#define SANDI_TRUST_ON_FIRST_USE 0

// A new identity key is `UntrustedIdentity` until it is accepted.
#define SANDI_TRUST_BLOCK_UNTIL_ACCEPTED 1

// As on first use, but sessions of an old key go on as long as the peer uses them.
#define SANDI_TRUST_ALWAYS 2

// Send to recipients whose keys somebody else holds; every change is an event.
#define SANDI_HOSTED_INFORM 0

// Refuse with `ConsentRequired` until the user has agreed (`sandi_device_consent_to_hosting`).
#define SANDI_HOSTED_REQUIRE_CONSENT 1

// The signed pre-key; one at most.
#define SANDI_KEYS_SIGNED 0

// The last-resort KEM pre-key; one at most.
#define SANDI_KEYS_LAST_RESORT 1

// One-time pre-keys.
#define SANDI_KEYS_ONE_TIME 2

// One-time KEM pre-keys.
#define SANDI_KEYS_ONE_TIME_KEM 3

// Send the message again.
#define SANDI_ANSWER_RESEND 1

// The message was sent by another device of this account.
#define SANDI_ANSWER_NOT_OURS 2

// That device has asked too often: do nothing.
#define SANDI_ANSWER_IGNORE 3

// The sender does not send again: show the failure at once.
#define SANDI_HINT_DEFAULT 0

// The sender is likely to send again: wait before showing the failure.
#define SANDI_HINT_RESENDABLE 1

// The message has no value to the user: never show the failure.
#define SANDI_HINT_IMPLICIT 2

// A callback's success.
#define SANDI_STORE_OK 0

// A commit's refusal: a record is not at the expected revision. Nothing was written.
#define SANDI_STORE_CONFLICT 1

// Nothing is written; the change only states an expectation.
#define SANDI_WRITE_KEEP 0

// The record is replaced, or created.
#define SANDI_WRITE_PUT 1

// The record is removed.
#define SANDI_WRITE_DELETE 2

// The version of this border. It grows when something that a program relies on changes: compare it with
// `SANDI_ABI_VERSION` when the program starts.
#define SANDI_ABI_VERSION 1

// What a call gave. Codes below 100 are the border's own; from 100 on they are the protocol's.
//
// `sandi_status_disposition` says what to do about one.
enum SandiStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // The call did what it says.
  SANDI_STATUS_OK = 0,
  // A pointer is null where none may be, or with a length that is not 0.
  SANDI_STATUS_NULL_POINTER = 1,
  // A pointer to a struct or number is not aligned for it.
  SANDI_STATUS_MISALIGNED = 2,
  // A length is beyond what can be in memory, or not the one that the value has.
  SANDI_STATUS_INVALID_LENGTH = 3,
  // Text is not UTF-8.
  SANDI_STATUS_INVALID_TEXT = 4,
  // The handle was never given out.
  SANDI_STATUS_INVALID_HANDLE = 5,
  // The handle is of another kind of object.
  SANDI_STATUS_WRONG_HANDLE = 6,
  // The object was freed before, or consumed.
  SANDI_STATUS_STALE_HANDLE = 7,
  // There are 16,777,215 objects and buffers.
  SANDI_STATUS_TOO_MANY_HANDLES = 8,
  // A number is none of those that the parameter takes.
  SANDI_STATUS_OUT_OF_RANGE = 9,
  // A callback called a function other than the one it may call.
  SANDI_STATUS_REENTRANT = 10,
  // Another thread uses the object. Only in a build without `std`; there is no waiting then.
  SANDI_STATUS_BUSY = 11,
  // A defect of the library, or the system gave no random bytes; or an earlier call on the object ended so. Free the object; the stored state is sound.
  SANDI_STATUS_PANICKED = 12,
  // The message was committed before.
  SANDI_STATUS_ALREADY_COMMITTED = 13,
  // There is no such element, or nothing is known.
  SANDI_STATUS_NOT_FOUND = 14,
  // The stream has failed or ended, or has not ended yet.
  SANDI_STATUS_WRONG_STATE = 15,
  // A callback of the program said that it failed.
  SANDI_STATUS_CALLBACK_FAILED = 16,
  // The version byte of an encoding is unknown: it was made by a later version.
  SANDI_STATUS_UNKNOWN_ENCODING = 17,
  // The store failed. `sandi_last_error` has its code. Whether the changes are durable is unknown; repeating the operation is right in every case.
  SANDI_STATUS_STORE_FAILED = 30,
  // Others kept changing the same records.
  SANDI_STATUS_CONTENTION = 31,
  // There is no device in the store.
  SANDI_STATUS_NOT_CREATED = 32,
  // There is a device in the store already.
  SANDI_STATUS_ALREADY_CREATED = 33,
  // An error that this version of the border has no code for.
  SANDI_STATUS_UNKNOWN = 99,
  // A key's encoding is empty.
  SANDI_STATUS_NO_KEY_TYPE_IDENTIFIER = 100,
  // A public key's type is not 0x05.
  SANDI_STATUS_BAD_KEY_TYPE = 101,
  // A key has the wrong length.
  SANDI_STATUS_BAD_KEY_LENGTH = 102,
  // A KEM key's type is not enabled.
  SANDI_STATUS_BAD_KEM_KEY_TYPE = 103,
  // A KEM key has the wrong length.
  SANDI_STATUS_BAD_KEM_KEY_LENGTH = 104,
  // A KEM ciphertext has the wrong length.
  SANDI_STATUS_BAD_KEM_CIPHERTEXT_LENGTH = 105,
  // KEM key and ciphertext are of different types.
  SANDI_STATUS_WRONG_KEM_KEY_TYPE = 106,
  // A key agreement met a low-order key.
  SANDI_STATUS_INVALID_KEY_AGREEMENT = 107,
  // A protobuf is malformed or lacks a required field.
  SANDI_STATUS_INVALID_PROTOBUF = 108,
  // A message is too short.
  SANDI_STATUS_CIPHERTEXT_TOO_SHORT = 109,
  // A service id is malformed.
  SANDI_STATUS_INVALID_SERVICE_ID = 110,
  // A device id is out of range or an address is malformed.
  SANDI_STATUS_INVALID_PROTOCOL_ADDRESS = 111,
  // A registration id is out of range.
  SANDI_STATUS_INVALID_REGISTRATION_ID = 112,
  // An argument is missing or out of range.
  SANDI_STATUS_INVALID_ARGUMENT = 113,
  // A fingerprint's number of iterations is out of range.
  SANDI_STATUS_INVALID_ITERATION_COUNT = 114,
  // A scanned fingerprint cannot be read.
  SANDI_STATUS_FINGERPRINT_PARSING = 115,
  // The message's session version is too old.
  SANDI_STATUS_LEGACY_CIPHERTEXT_VERSION = 120,
  // The message's session version is too new.
  SANDI_STATUS_UNRECOGNIZED_CIPHERTEXT_VERSION = 121,
  // The first byte of a message is unknown.
  SANDI_STATUS_UNRECOGNIZED_MESSAGE_VERSION = 122,
  // A scanned fingerprint has another version.
  SANDI_STATUS_FINGERPRINT_VERSION_MISMATCH = 123,
  // The version of a sealed-sender message is unknown.
  SANDI_STATUS_UNKNOWN_SEALED_SENDER_VERSION = 124,
  // The device's policy refuses the session version.
  SANDI_STATUS_DIALECT_REFUSED = 125,
  // The message did not decrypt.
  SANDI_STATUS_REJECTED = 130,
  // A sealed-sender message did not open, or its certificate is not valid.
  SANDI_STATUS_INVALID_SEALED_SENDER_MESSAGE = 131,
  // A sender certificate names an unknown server certificate.
  SANDI_STATUS_UNKNOWN_SEALED_SENDER_SERVER_CERTIFICATE_ID = 132,
  // A sealed-sender message comes from this very device.
  SANDI_STATUS_SEALED_SENDER_SELF_SEND = 133,
  // A signature does not verify.
  SANDI_STATUS_SIGNATURE_VALIDATION_FAILED = 134,
  // The base key of a pre-key message is not canonical.
  SANDI_STATUS_INVALID_BASE_KEY = 135,
  // A pre-key message lacks KEM fields.
  SANDI_STATUS_INCOMPLETE_KYBER_FIELDS = 136,
  // The message was seen before.
  SANDI_STATUS_DUPLICATED_MESSAGE = 137,
  // The message is too far in the future.
  SANDI_STATUS_TOO_FAR_IN_FUTURE = 138,
  // A last-resort pre-key met the same base key before.
  SANDI_STATUS_REUSED_BASE_KEY = 139,
  // The identity key is not the trusted one.
  SANDI_STATUS_UNTRUSTED_IDENTITY = 140,
  // What was received is older than what is known.
  SANDI_STATUS_OUTDATED = 141,
  // Keys came from a device that is not the account's own.
  SANDI_STATUS_NOT_OWN_DEVICE = 142,
  // Somebody else can read the message, and the user has not agreed to that.
  SANDI_STATUS_CONSENT_REQUIRED = 143,
  // There is no usable session.
  SANDI_STATUS_SESSION_NOT_FOUND = 150,
  // There is no sender key.
  SANDI_STATUS_NO_SENDER_KEY_STATE = 151,
  // The one-time pre-key is not in the store.
  SANDI_STATUS_INVALID_PRE_KEY_ID = 152,
  // The signed pre-key is not in the store.
  SANDI_STATUS_INVALID_SIGNED_PRE_KEY_ID = 153,
  // The KEM pre-key is not in the store.
  SANDI_STATUS_INVALID_KYBER_PRE_KEY_ID = 154,
  // An app-state key is unknown.
  SANDI_STATUS_APP_STATE_KEY_MISSING = 155,
  // An earlier app-state patch is missing.
  SANDI_STATUS_APP_STATE_PATCH_MISSING = 156,
  // Stored app state is out of step.
  SANDI_STATUS_APP_STATE_OUT_OF_STEP = 157,
  // A stored session is corrupt.
  SANDI_STATUS_INVALID_SESSION = 160,
  // A stored sender key is corrupt or cannot encrypt.
  SANDI_STATUS_INVALID_SENDER_KEY_SESSION = 161,
  // A stored record is corrupt.
  SANDI_STATUS_INVALID_STATE = 162,
  // A stored record was written by a later version.
  SANDI_STATUS_FUTURE_RECORD = 163,
  // A record that the operation needs was not loaded.
  SANDI_STATUS_NOT_LOADED = 164,
  // A chain has reached its last index.
  SANDI_STATUS_CHAIN_EXHAUSTED = 165,
  // A backup key is not 64 hexadecimal digits, or not a key file.
  SANDI_STATUS_INVALID_BACKUP_KEY = 170,
  // A backup is not under a root key.
  SANDI_STATUS_UNSUPPORTED_BACKUP = 171,
  // The MAC of a linking does not fit.
  SANDI_STATUS_LINKING_MAC_MISMATCH = 172,
  // Identity keys that should be one, or belong together, do not.
  SANDI_STATUS_IDENTITY_MISMATCH = 173,
  // A signed device list is older than the known one.
  SANDI_STATUS_OLDER_DEVICE_LIST = 174,
  // A linking code is used up.
  SANDI_STATUS_TOO_MANY_ATTEMPTS = 175,
  // No key that vouches for the device is known.
  SANDI_STATUS_NO_ACCOUNT_KEY = 176,
  // The account of a companion has not vouched for it.
  SANDI_STATUS_UNVERIFIED_COMPANION = 177,
  // The device list of the account is too old.
  SANDI_STATUS_DEVICE_LIST_EXPIRED = 178,
  // A media packet is malformed.
  SANDI_STATUS_INVALID_MEDIA_PACKET = 179,
  // A media packet was seen before.
  SANDI_STATUS_REPLAYED_MEDIA_PACKET = 180,
  // A call key was used before.
  SANDI_STATUS_REUSED_CALL_KEY = 181,
  // A call key has encrypted as much as it may.
  SANDI_STATUS_CALL_KEY_EXHAUSTED = 182,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum SandiStatus SandiStatus;
#else
typedef int32_t SandiStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What to do about a status.
enum SandiDisposition
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // Nothing: success, or the end of a list.
  SANDI_DISPOSITION_NONE = 0,
  // Drop the message or bundle: it was seen before, or is not what an honest peer sends.
  SANDI_DISPOSITION_DROP = 1,
  // The message is lost, but its sender can send it again: `sandi_device_ask_retry`.
  SANDI_DISPOSITION_ASK_SENDER_TO_RESEND = 2,
  // Fetch a bundle of the peer's device and start a session, then send.
  SANDI_DISPOSITION_START_SESSION = 3,
  // Show the user the peer's new identity key, and accept it if the user does; then try again.
  SANDI_DISPOSITION_ASK_USER = 4,
  // What is stored is corrupt: `sandi_device_repair_session`, `sandi_device_forget_sender_key`.
  SANDI_DISPOSITION_REPAIR = 5,
  // It is of a later version than this library knows: update the application.
  SANDI_DISPOSITION_UPDATE = 6,
  // The call was wrong; a defect of the calling program.
  SANDI_DISPOSITION_FIX_CALLER = 7,
  // Repeat the operation, now or later.
  SANDI_DISPOSITION_REPEAT = 8,
  // A defect of the library, or of the machine: free the object, and open the device again.
  SANDI_DISPOSITION_REOPEN = 9,
  // Ask the account's own devices for a key, then try again.
  SANDI_DISPOSITION_ASK_OWN_DEVICES = 10,
  // Fetch what was missed, then try again.
  SANDI_DISPOSITION_RESYNCHRONIZE = 11,
  // Verify the devices of the account before writing to it, which this interface cannot yet do.
  SANDI_DISPOSITION_VERIFY_DEVICES = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum SandiDisposition SandiDisposition;
#else
typedef int32_t SandiDisposition;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Bytes that the library owns. Read `len` bytes at `data` until `sandi_buffer_free`; any thread may.
//
// Free it once, through this struct or a copy: the bytes are wiped, and a second time gives an error.
typedef struct SandiBuffer {
  // The first byte; null where there is no buffer.
  const uint8_t *data;
  // The number of bytes.
  size_t len;
  // What it is freed by. 0: there is no buffer.
  uint64_t id;
} SandiBuffer;

// A file that is encrypted, verified or decrypted. May be used from any thread; calls wait for each
// other, and their order is the stream's.
typedef struct SandiStream {
  // 0: none.
  uint64_t id;
} SandiStream;

// Bytes of the program.
typedef struct SandiBytes {
  // May be null if `len` is 0.
  const uint8_t *data;
  // The number of bytes.
  size_t len;
} SandiBytes;

// A pre-key bundle in its parts, as a server's answer has them.
typedef struct SandiBundleParts {
  // The device's registration id.
  uint32_t registration_id;
  // The device's id.
  uint32_t device_id;
  // The account's identity key, 33 bytes.
  struct SandiBytes identity_key;
  // The signed pre-key's id.
  uint32_t signed_id;
  // The id of the one-time pre-key, if there is one.
  uint32_t one_time_id;
  // The signed pre-key, 33 bytes.
  struct SandiBytes signed_key;
  // The signature over it, 64 bytes.
  struct SandiBytes signed_signature;
  // The one-time pre-key, 33 bytes; empty if there is none.
  struct SandiBytes one_time_key;
  // The id of the KEM pre-key, if there is one.
  uint32_t kem_id;
  // Set to 0.
  uint32_t reserved;
  // The KEM pre-key, 1,569 bytes; empty if there is none.
  struct SandiBytes kem_key;
  // The signature over it, 64 bytes.
  struct SandiBytes kem_signature;
} SandiBundleParts;

// What `sandi_bundle_decode` gives: `parts` points into `memory`, and is valid until that is freed.
typedef struct SandiBundleRead {
  // The parts.
  struct SandiBundleParts parts;
  // What they point into. Free it with `sandi_buffer_free`.
  struct SandiBuffer memory;
} SandiBundleRead;

// A store: where a device's records live. May be used from any thread; calls wait for each other.
typedef struct SandiStore {
  // 0: none.
  uint64_t id;
} SandiStore;

// The address of a device: a name and a device id.
typedef struct SandiAddress {
  // The name, UTF-8, not terminated.
  const uint8_t *name;
  // Its length in bytes.
  size_t name_len;
  // The device id, 0 to 255.
  uint32_t device;
} SandiAddress;

// What a new device is.
typedef struct SandiNewDevice {
  // Its own address.
  struct SandiAddress address;
  // The account's private identity key, 32 bytes, for a linked device; null for a new identity.
  const uint8_t *identity;
  // 32, or 0 with a null pointer.
  size_t identity_len;
  // The registration id, below 2^32; 0 for a random one, 1 to 16,383.
  uint32_t registration_id;
  // `SANDI_SCOPE_ACCOUNT` or `SANDI_SCOPE_DEVICE`.
  uint32_t scope;
} SandiNewDevice;

// What the program decides about a device. Not stored: given whenever a device is opened. Start from
// `sandi_options_default`.
typedef struct SandiOptions {
  // `sizeof(SandiOptions)`: later versions of the struct are longer.
  uint32_t size;
  // One of `SANDI_DIALECTS_…`.
  uint32_t dialects;
  // One of `SANDI_TRUST_…`.
  uint32_t trust;
  // Decoded sessions that are kept in memory, 2 to 5 kB each.
  uint32_t cached_sessions;
  // One-time pre-keys that the server should have, at most 1,000.
  uint32_t one_time;
  // One-time KEM pre-keys that the server should have, at most 1,000.
  uint32_t one_time_kem;
  // The stock is filled up when fewer than this are left.
  uint32_t refill_below;
  // One of `SANDI_HOSTED_…`.
  uint32_t hosted;
  // Age in milliseconds at which the signed and the last-resort pre-key are replaced.
  uint64_t rotate_after;
  // How long a replaced pre-key still accepts late messages, in milliseconds.
  uint64_t keep_retired;
  // Age in milliseconds at which unused one-time pre-keys are deleted.
  uint64_t keep_one_time;
} SandiOptions;

// A device. May be used from any thread; calls wait for each other.
typedef struct SandiDevice {
  // 0: none.
  uint64_t id;
} SandiDevice;

// One party of a fingerprint.
typedef struct SandiFingerprintParty {
  // What stands for the account: the 16 bytes of its UUID (version 2), or its phone number as text (version 1).
  struct SandiBytes identifier;
  // Its identity key, 33 bytes.
  struct SandiBytes identity_key;
} SandiFingerprintParty;

// Where a callback puts bytes. Valid until the callback returns, in the thread that called it.
typedef struct SandiSink {
  // 0: none.
  uint64_t id;
} SandiSink;

// What names a sender key for a group.
typedef struct SandiDistribution {
  // `SANDI_DISTRIBUTION_ID` or `SANDI_DISTRIBUTION_GROUP`.
  uint32_t kind;
  // The id.
  const uint8_t *id;
  // Its length in bytes: 16 for a distribution id.
  size_t id_len;
} SandiDistribution;

// Puts a distribution message into the content of a one-to-one message of the program, and gives that to
// `sandi_content_write` with the sink. Returns 0, or any other number if it failed: nothing is sent then.
//
// The bytes are secret, and valid until it returns. It must not throw, jump out, or call the library otherwise.
typedef int32_t (*SandiWrap)(void *context,
                             const uint8_t *distribution_message,
                             size_t len,
                             struct SandiSink sink);

// What became of a message to a group. May be used from any thread; calls wait for each other.
typedef struct SandiGroupSent {
  // 0: none.
  uint64_t id;
} SandiGroupSent;

// A message to one device, or why there is none. Free its buffers.
typedef struct SandiSent {
  // `Ok`, or what became of this one.
  SandiStatus status;
  // The type to send with it: `SANDI_MESSAGE_…`.
  uint32_t message_type;
  // The peer device's registration id, for servers that ask for it; 0 without a session.
  uint32_t registration_id;
  // The peer's device, where `name` says which; else 0.
  uint32_t device;
  // The message.
  struct SandiBuffer bytes;
  // The name of the peer's address, where the program has not given it itself; else no buffer.
  struct SandiBuffer name;
} SandiSent;

// One statement about who can read a chat.
typedef struct SandiHostingSignal {
  // When it was true, in the source's own time: a later one of the same source replaces it.
  uint64_t at;
  // `SANDI_SIGNAL_…`.
  uint32_t source;
  // Who can read: `SANDI_HOSTING_…`, not `NONE`.
  uint32_t status;
} SandiHostingSignal;

// What is known of who can read a chat.
typedef struct SandiHosting {
  // Who can: `SANDI_HOSTING_…`. Where nothing is known, `END_TO_END`.
  uint32_t status;
  // What is bound by cryptography; `NONE` if nothing is.
  uint32_t bound;
  // What only the server says; `NONE` if it says nothing.
  uint32_t asserted;
  // What the user has agreed to; `NONE` if to nothing.
  uint32_t consent;
  // 1 if the user has been asked what has to be asked before a message is sent.
  uint32_t permits;
} SandiHosting;

// What a device has noticed of a peer. Free `name`.
typedef struct SandiEvent {
  // `SANDI_EVENT_…`.
  uint32_t kind;
  // The peer's device.
  uint32_t device;
  // 1 if the user had verified the old key.
  uint32_t was_verified;
  // Of `SANDI_EVENT_HOSTING_CHANGED`: who could read, `SANDI_HOSTING_…`; `NONE` if nothing was known.
  uint32_t old_hosting;
  // Who can read now.
  uint32_t new_hosting;
  // The number of the system message that clients of the WhatsApp family show; 0 where none fits.
  uint32_t notice;
  // Of an identity event: the key known so far.
  uint8_t old_key[33];
  // The key it has now.
  uint8_t new_key[33];
  // The name of the peer's address; of `SANDI_EVENT_HOSTING_CHANGED`, of the user or group.
  struct SandiBuffer name;
} SandiEvent;

// What is known of a peer's identity.
typedef struct SandiKnownIdentity {
  // When this key was first seen, in milliseconds since 1970.
  uint64_t first_seen_ms;
  // 1 if the user has verified this key.
  uint32_t is_verified;
  // The key.
  uint8_t key[33];
} SandiKnownIdentity;

// A file's key, and what it is sent as.
typedef struct SandiMediaKey {
  // The key, 32 bytes. A secret.
  struct SandiBytes key;
  // For `SANDI_MEDIA_CUSTOM`: the info string; else empty.
  struct SandiBytes info;
  // `SANDI_MEDIA_…`: the type of the message that carries the file.
  uint32_t kind;
  // Set to 0.
  uint32_t reserved;
} SandiMediaKey;

// What the message says about a file, as far as it says it.
typedef struct SandiMediaHashes {
  // SHA-256 of the plaintext, 32 bytes, or empty.
  struct SandiBytes plaintext_sha256;
  // SHA-256 of the blob, 32 bytes, or empty.
  struct SandiBytes blob_sha256;
  // Length of the plaintext.
  uint64_t size;
  // 1 if the message has that length, else 0.
  uint32_t has_size;
  // Set to 0.
  uint32_t reserved;
} SandiMediaHashes;

// A peer device, and what to send to it.
typedef struct SandiRecipient {
  // The peer's device.
  struct SandiAddress address;
  // The plaintext.
  const uint8_t *plaintext;
  // Its length in bytes.
  size_t plaintext_len;
} SandiRecipient;

// What to upload to the server. May be used from any thread; calls wait for each other.
typedef struct SandiUpload {
  // 0: none.
  uint64_t id;
} SandiUpload;

// A public pre-key to upload. Free both buffers.
typedef struct SandiPublicPreKey {
  // Its id.
  uint32_t id;
  // Set to 0.
  uint32_t reserved;
  // Its encoding: 33 bytes, or 1,569 of a KEM.
  struct SandiBuffer key;
  // The identity's signature over it, 64 bytes; no buffer for a one-time pre-key.
  struct SandiBuffer signature;
} SandiPublicPreKey;

// A message that decrypted. May be used from any thread; calls wait for each other.
typedef struct SandiReceived {
  // 0: none.
  uint64_t id;
} SandiReceived;

// What to do about a peer's request to send a message again.
typedef struct SandiAnswer {
  // `SANDI_ANSWER_…`; the other fields are for `SANDI_ANSWER_RESEND`.
  uint32_t action;
  // How often the message has been sent again, this time included.
  uint32_t attempt;
  // 1: the session is now archived; fetch a bundle and start a new one first.
  uint32_t session_archived;
  // 1: the message was one to a group; send the distribution message again, too
  // (`sandi_device_give_key_again`).
  uint32_t is_sender_key;
  // The message, by the timestamp under which it was sent.
  uint64_t timestamp_ms;
} SandiAnswer;

// Whom to trust with sealed sender. May be used from any thread; calls wait for each other.
typedef struct SandiTrust {
  // 0: none.
  uint64_t id;
} SandiTrust;

// A message to be sealed.
typedef struct SandiSealedContent {
  // The type of the message inside: `SANDI_MESSAGE_…`.
  uint32_t message_type;
  // `SANDI_HINT_…`.
  uint32_t hint;
  // The message inside, as it was encrypted.
  struct SandiBytes message;
  // This device's sender certificate, from the server.
  struct SandiBytes certificate;
  // The group that the message belongs to; empty if it belongs to none.
  struct SandiBytes group_id;
} SandiSealedContent;

// A sealed message that was opened. Free it with `sandi_opened_free`.
typedef struct SandiOpened {
  // The type of the message inside: `SANDI_MESSAGE_…`.
  uint32_t message_type;
  // `SANDI_HINT_…`, or another number: as `SANDI_HINT_DEFAULT`.
  uint32_t hint;
  // The sender's device.
  uint32_t sender_device;
  // Set to 0.
  uint32_t reserved;
  // The name of the sender's address: its account's UUID.
  struct SandiBuffer sender_name;
  // The sender's phone number; no buffer where the certificate has none.
  struct SandiBuffer sender_e164;
  // The sender's identity key, 33 bytes.
  struct SandiBuffer sender_identity;
  // The message inside, to be decrypted.
  struct SandiBuffer message;
  // The group; no buffer if there is none.
  struct SandiBuffer group_id;
} SandiOpened;

// What is expected of a record, and what becomes of it.
typedef struct SandiChange {
  // The record's key.
  const uint8_t *key;
  // Its length in bytes.
  size_t key_len;
  // The revision that the stored record must have; 0: there must be no record.
  uint64_t expected_revision;
  // `SANDI_WRITE_KEEP`, `SANDI_WRITE_PUT` or `SANDI_WRITE_DELETE`.
  uint32_t write;
  // For a put: the revision that the record will have, 1 to 2^63 - 1.
  uint64_t new_revision;
  // For a put: the record. A secret.
  const uint8_t *data;
  // Its length in bytes.
  size_t len;
} SandiChange;

// A store of the program. The callbacks are called by one thread at a time, which may be any that uses a
// device of the store. They must not throw, jump out, or call the library, but for what is said here.
typedef struct SandiStoreCallbacks {
  // Handed to every callback.
  void *context;
  // Looks for the record of a key. If there is one, calls `sandi_record_found` once, with the sink that it
  // was given. Returns `SANDI_STORE_OK` in both cases, or any other number if it failed.
  int32_t (*load)(void *context, const uint8_t *key, size_t key_len, struct SandiSink sink);
  // Compares every expected revision with the stored one, then writes everything, as a whole and durably;
  // or writes nothing. Returns `SANDI_STORE_OK`, `SANDI_STORE_CONFLICT` if a revision differs, or any
  // other number if it failed.
  int32_t (*commit)(void *context, const struct SandiChange *changes, size_t count);
  // Called once, when neither a store nor a device needs the context any more. May be null.
  void (*free_context)(void *context);
} SandiStoreCallbacks;

// What is known at the end of a stream: the fields for the message, or what was verified. Free `index`.
typedef struct SandiStreamReport {
  // Length of the plaintext in bytes, without padding; of a verifier: length of the blob.
  uint64_t size;
  // After encrypting, where it was asked for: the incremental MAC's chunk size (Signal); else 0.
  uint32_t chunk_size;
  // After decrypting a WhatsApp file: 1 if the message gave another length. Show the true one.
  uint32_t length_differs;
  // SHA-256 of the plaintext, after encrypting or decrypting a WhatsApp file; else zeros.
  uint8_t plaintext_sha256[32];
  // SHA-256 of the blob, after encrypting; else zeros.
  uint8_t blob_sha256[32];
  // After encrypting, where it was asked for: the side-car (WhatsApp) or the incremental MAC (Signal); else no
  // buffer.
  struct SandiBuffer index;
} SandiStreamReport;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// A new key for a file, 64 bytes: for the message. A secret.
SandiStatus sandi_attachment_key(struct SandiBuffer *out);

// Starts to encrypt a file under a new key of 64 bytes. `incremental` is `SANDI_INCREMENTAL_…`; unless it is `NONE`,
// `size` is the file's exact length, else it has no meaning.
SandiStatus sandi_attachment_encrypt(const uint8_t *key_bytes,
                                     size_t key_len,
                                     uint32_t incremental,
                                     uint64_t size,
                                     struct SandiStream *out);

// Starts the first of two passes over a file whose message carries no incremental MAC. `digest` is the blob's SHA-256
// (32 bytes), from the message. Its output is empty.
SandiStatus sandi_attachment_verify(const uint8_t *key_bytes,
                                    size_t key_len,
                                    const uint8_t *digest,
                                    size_t digest_len,
                                    struct SandiStream *out);

// Starts the second pass, after `sandi_stream_finish` of the first. `size` is the file's true length, from the message.
//
// Errors: `WrongState` if the first pass has not ended, or was of another format.
SandiStatus sandi_attachment_decrypt_verified(struct SandiStream verified,
                                              const uint8_t *key_bytes,
                                              size_t key_len,
                                              uint64_t size,
                                              struct SandiStream *out);

// Starts to decrypt a file while it is received, with the incremental MAC from the message: its entries, its chunk size,
// and what it covers (`SANDI_INCREMENTAL_…`, not `NONE`). `digest` is the blob's SHA-256, `size` the file's true
// length.
SandiStatus sandi_attachment_decrypt(const uint8_t *key_bytes,
                                     size_t key_len,
                                     const uint8_t *digest,
                                     size_t digest_len,
                                     uint64_t size,
                                     struct SandiBytes entries,
                                     uint32_t chunk_size,
                                     uint32_t incremental,
                                     struct SandiStream *out);

// Wipes and frees a buffer, and sets the struct to no buffer; of none it frees nothing.
// May be called from any thread, and from within callbacks.
SandiStatus sandi_buffer_free(struct SandiBuffer *buffer);

// Makes a bundle of its parts: of what a server has answered. Its signatures are verified when a session is
// started.
//
// Errors: `InvalidLength` for a signature; those of the keys; `OutOfRange`.
SandiStatus sandi_bundle_encode(const struct SandiBundleParts *parts, struct SandiBuffer *out);

// Takes a bundle apart, for a server that wants its fields.
//
// Errors: `UnknownEncoding`, `InvalidLength`, `OutOfRange`; those of the keys.
SandiStatus sandi_bundle_decode(const uint8_t *data, size_t len, struct SandiBundleRead *out);

// Creates the device in a store that has none. The store's handle stays the program's. Durable when it
// returns. Its pre-keys are made by the first `sandi_device_replenish`.
//
// `options` may be null: the defaults.
//
// Errors: `AlreadyCreated`; `InvalidLength`, `BadKeyLength` for the identity; `OutOfRange`; `StoreFailed`.
SandiStatus sandi_device_create(struct SandiStore store_handle,
                                const struct SandiNewDevice *new_device,
                                const struct SandiOptions *options,
                                struct SandiDevice *out);

// Opens the device of a store. `options` may be null: the defaults.
//
// Errors: `NotCreated`; `FutureRecord`, `InvalidState`; `OutOfRange`; `StoreFailed`.
SandiStatus sandi_device_open(struct SandiStore store_handle,
                              const struct SandiOptions *options,
                              struct SandiDevice *out);

// Frees a device. What it has committed stays in its store. A message that is not committed yet keeps the
// device until it is freed, too.
SandiStatus sandi_device_free(struct SandiDevice device);

// The device's own address. `device_id` may be null.
SandiStatus sandi_device_address(struct SandiDevice device, struct SandiBuffer *name, uint32_t *device_id);

// The account's identity key: 33 bytes.
SandiStatus sandi_device_identity_key(struct SandiDevice device, struct SandiBuffer *out);

// The account's private identity key, 32 bytes: to link another device, or to back it up. A secret.
SandiStatus sandi_device_private_identity_key(struct SandiDevice device, struct SandiBuffer *out);

// The device's registration id.
SandiStatus sandi_device_registration_id(struct SandiDevice device, uint32_t *out);

// Computes the safety number of two parties. `version` is 2 with UUIDs, 1 with phone numbers; `iterations` is 5,200
// in every client, or 0 for that.
//
// `display` (may be null): the 60 digits that both parties see. `scannable` (may be null): the code for the other
// party to scan.
//
// Errors: `InvalidIterationCount`; those of the keys.
SandiStatus sandi_fingerprint(uint32_t version,
                              uint32_t iterations,
                              const struct SandiFingerprintParty *local,
                              const struct SandiFingerprintParty *remote,
                              struct SandiBuffer *display,
                              struct SandiBuffer *scannable);

// Compares the code that was scanned with one's own (`scannable`): `out` is 1 if they belong together, else 0.
//
// Errors: `FingerprintParsing`, `FingerprintVersionMismatch`.
SandiStatus sandi_fingerprint_compare(const uint8_t *own,
                                      size_t own_len,
                                      const uint8_t *scanned,
                                      size_t scanned_len,
                                      uint32_t *out);

// For `SandiWrap`: the content for one member. The bytes are copied.
//
// Errors: `WrongState` if it was given already; `StaleHandle` after the callback has returned.
SandiStatus sandi_content_write(struct SandiSink sink, const uint8_t *data, size_t len);

// Encrypts to a group, and its key to every member that needs it first, in one commit: for all of them or, if
// something is missing, for none (`sandi_group_sent_missing`). `members` are all devices of all members, as the
// program knows them now; this one is passed over. `wrap` may be null: then a distribution message is all of
// the content that carries it.
//
// Errors: `CallbackFailed`; `InvalidSenderKeySession` where the stored key is corrupt; those of the store.
SandiStatus sandi_device_send_to_group(struct SandiDevice device,
                                       const struct SandiDistribution *distribution_of,
                                       const struct SandiAddress *members,
                                       size_t count,
                                       const uint8_t *content,
                                       size_t content_len,
                                       SandiWrap wrap_with,
                                       void *wrap_context,
                                       uint64_t now_ms,
                                       struct SandiGroupSent *out);

// The message to all members, of the type `SANDI_MESSAGE_SENDER_KEY`. It goes after the distributions. `rotated`
// (may be null): 1 if the key was replaced.
//
// Errors: `NotFound` if something is missing first: see `sandi_group_sent_missing`, then send again.
SandiStatus sandi_group_sent_message(struct SandiGroupSent sent,
                                     struct SandiBuffer *out,
                                     uint32_t *rotated);

// A one-to-one message that carries the key to one who needs it, at an index from 0. With the name of the peer's
// device.
//
// Errors: `NotFound` beyond the last.
SandiStatus sandi_group_sent_distribution(struct SandiGroupSent sent,
                                          size_t index,
                                          struct SandiSent *out);

// A member's device that the message waits for, at an index from 0: its status is `SessionNotFound` where a session
// has to be started, `UntrustedIdentity` where the user has to be asked, or an error of the stored session.
//
// Errors: `NotFound` beyond the last.
SandiStatus sandi_group_sent_missing(struct SandiGroupSent sent,
                                     size_t index,
                                     struct SandiSent *out);

// Frees what became of a message to a group.
SandiStatus sandi_group_sent_free(struct SandiGroupSent sent);

// Takes over a sender's key from a distribution message that a one-to-one message has carried. Before that message
// is committed: then a crash in between loses nothing.
//
// Errors: those of the message; `InvalidArgument` if it is for another distribution.
SandiStatus sandi_device_accept_distribution(struct SandiDevice device,
                                             const struct SandiAddress *from,
                                             const struct SandiDistribution *distribution_of,
                                             const uint8_t *bytes,
                                             size_t bytes_len,
                                             uint64_t now_ms);

// Gives this device's key to a member again, with the next message. `out` (may be null): whether it will.
SandiStatus sandi_device_give_key_again(struct SandiDevice device,
                                        const struct SandiDistribution *distribution_of,
                                        const struct SandiAddress *member,
                                        uint64_t now_ms,
                                        uint32_t *out);

// Forgets the key of one device for a group: after `InvalidSenderKeySession`, or when a member is gone. Of this
// device: the next message makes a new key, and gives it to everybody. `out` (may be null): whether there was
// one.
SandiStatus sandi_device_forget_sender_key(struct SandiDevice device,
                                           const struct SandiDistribution *distribution_of,
                                           const struct SandiAddress *sender,
                                           uint64_t now_ms,
                                           uint32_t *out);

// The name under which the status of a device's user is kept.
SandiStatus sandi_hosting_name(const struct SandiAddress *peer, struct SandiBuffer *out);

// Takes over signals of who can read the chat with a user, under all `names` (1 to 16, of `sandi_hosting_name`) that
// are known to be the user's; or in a group, by its id. Durable when it returns. Every change is an event
// (`SANDI_EVENT_HOSTING_CHANGED`): show it before the next message is sent.
//
// Errors: `InvalidArgument` for the names; `OutOfRange`; those of the store.
SandiStatus sandi_device_learn_hosting(struct SandiDevice device,
                                       const struct SandiBytes *names,
                                       size_t name_count,
                                       const struct SandiHostingSignal *signals,
                                       size_t signal_count,
                                       uint64_t now_ms);

// What is known of who can read the chat with a user, by a name of `sandi_hosting_name`; or in a group, by its id.
SandiStatus sandi_device_hosting_of(struct SandiDevice device,
                                    const uint8_t *name,
                                    size_t name_len,
                                    struct SandiHosting *out);

// Records that the user agrees to write to a user or a group although somebody else can read it: to exactly the status
// (`SANDI_HOSTING_…`) that the user has seen, and until that changes.
//
// Errors: `ConsentRequired` if it is not the status of now; `InvalidArgument` for `END_TO_END`.
SandiStatus sandi_device_consent_to_hosting(struct SandiDevice device,
                                            const uint8_t *name,
                                            size_t name_len,
                                            uint32_t hosting,
                                            uint64_t now_ms);

// Takes the oldest event of a device: after every call that starts a session, decrypts or commits. `lost` (may
// be null): how many were dropped since the last call, because more than 1,024 were waiting.
//
// Errors: `NotFound` if there is none.
SandiStatus sandi_device_next_event(struct SandiDevice device,
                                    struct SandiEvent *out,
                                    uint64_t *lost);

// What is known of a peer's identity.
//
// Errors: `NotFound` if nothing is.
SandiStatus sandi_device_identity_of(struct SandiDevice device,
                                     const struct SandiAddress *peer,
                                     struct SandiKnownIdentity *out);

// Accepts exactly this identity key (33 bytes) for a peer: the user's answer to
// `SANDI_EVENT_IDENTITY_BLOCKED`. Then the same message or bundle works.
//
// Errors: those of the key; those of the store.
SandiStatus sandi_device_accept_identity(struct SandiDevice device,
                                         const struct SandiAddress *peer,
                                         const uint8_t *key,
                                         size_t key_len,
                                         uint64_t now_ms);

// Notes that the user has verified (1) exactly this key of a peer, or no longer does (0).
//
// Errors: `UntrustedIdentity` if it is not the known one; `OutOfRange`.
SandiStatus sandi_device_set_verified(struct SandiDevice device,
                                      const struct SandiAddress *peer,
                                      const uint8_t *key,
                                      size_t key_len,
                                      uint32_t verified,
                                      uint64_t now_ms);

// A new key for a file, 32 bytes: for the message. A secret.
SandiStatus sandi_media_key(struct SandiBuffer *out);

// Starts to encrypt a file under a new key. `sidecar` is 1 for a side-car: for a video or a sound that plays while it
// loads; else 0.
SandiStatus sandi_media_encrypt(const struct SandiMediaKey *key,
                                uint32_t sidecar,
                                struct SandiStream *out);

// Starts the first of two passes over a file whose message carries no side-car. `given` (may be null) is what the
// message says. Its output is empty.
SandiStatus sandi_media_verify(const struct SandiMediaKey *key,
                               const struct SandiMediaHashes *given,
                               struct SandiStream *out);

// Starts the second pass, after `sandi_stream_finish` of the first.
//
// Errors: `WrongState` if the first pass has not ended, or was of another format.
SandiStatus sandi_media_decrypt_verified(struct SandiStream verified,
                                         const struct SandiMediaKey *key,
                                         const struct SandiMediaHashes *given,
                                         struct SandiStream *out);

// Starts to decrypt a file while it is received, with the side-car from the message.
SandiStatus sandi_media_decrypt(const struct SandiMediaKey *key,
                                const struct SandiMediaHashes *given,
                                const uint8_t *sidecar,
                                size_t sidecar_len,
                                struct SandiStream *out);

// Starts a session with the device that published a bundle (`sandi_bundle_encode`). Durable when it returns.
//
// Errors: `SignatureValidationFailed`, `UntrustedIdentity` and others of the bundle; those of its encoding.
SandiStatus sandi_device_start_session(struct SandiDevice device,
                                       const struct SandiAddress *peer,
                                       const uint8_t *bundle,
                                       size_t bundle_len,
                                       uint64_t now_ms);

// Encrypts to one device. That the key is spent is durable when it returns; so do not encrypt the same message
// again if sending fails, but send the bytes again.
//
// Errors: `SessionNotFound`: start a session first; `UntrustedIdentity`; those of the store.
SandiStatus sandi_device_encrypt(struct SandiDevice device,
                                 const struct SandiAddress *peer,
                                 const uint8_t *plaintext,
                                 size_t plaintext_len,
                                 uint64_t now_ms,
                                 struct SandiSent *out);

// Encrypts to many devices in one commit. `out` is an array of `count`, in the recipients' order: one that
// fails has its own status and does not hold up the others.
//
// Errors: those of the pointers and of the store; then there is no message for anybody.
SandiStatus sandi_device_encrypt_many(struct SandiDevice device,
                                      const struct SandiRecipient *recipients,
                                      size_t count,
                                      uint64_t now_ms,
                                      struct SandiSent *out);

// Archives the session with a device: sending needs a new one, late messages still decrypt. `out` (may be
// null): whether there was one.
SandiStatus sandi_device_archive_session(struct SandiDevice device,
                                         const struct SandiAddress *peer,
                                         uint64_t now_ms,
                                         uint32_t *out);

// Deletes the session with a device: its late messages do not decrypt any more. `out` (may be null): whether
// there was one.
SandiStatus sandi_device_delete_session(struct SandiDevice device,
                                        const struct SandiAddress *peer,
                                        uint64_t now_ms,
                                        uint32_t *out);

// Whether a message can be sent to a device without a bundle: 1 or 0. `requirements` is 0, or
// `SANDI_REQUIRE_…` added up.
SandiStatus sandi_device_has_session(struct SandiDevice device,
                                     const struct SandiAddress *peer,
                                     uint32_t requirements,
                                     uint64_t now_ms,
                                     uint32_t *out);

// Mends the stored session with a device, after `InvalidSession`. `out` (may be null): `SANDI_REPAIRED_…`.
SandiStatus sandi_device_repair_session(struct SandiDevice device,
                                        const struct SandiAddress *peer,
                                        uint64_t now_ms,
                                        uint32_t *out);

// The defaults: version 4, trust on first use, 1,024 cached sessions, 100 one-time pre-keys of each kind.
SandiStatus sandi_options_default(struct SandiOptions *out);

// Brings the pre-keys up to date and says what to upload: when the device is new, about once a day, and
// whenever the server's stock runs low. `one_time` and `one_time_kem` are what the server still has. Durable
// when it returns; an upload that fails or is lost comes up again.
//
// Errors: `InvalidState`; those of the store.
SandiStatus sandi_device_replenish(struct SandiDevice device,
                                   uint32_t one_time,
                                   uint32_t one_time_kem,
                                   uint64_t now_ms,
                                   struct SandiUpload *out);

// Notes that the server has an upload.
//
// Errors: as `sandi_device_replenish`.
SandiStatus sandi_device_confirm_upload(struct SandiDevice device,
                                        struct SandiUpload upload,
                                        uint64_t now_ms);

// Whether there is nothing to upload: 1 or 0.
SandiStatus sandi_upload_is_empty(struct SandiUpload upload, uint32_t *out);

// A public key of the upload: of a kind (`SANDI_KEYS_…`), at an index from 0.
//
// Errors: `NotFound` beyond the last; `OutOfRange` for the kind.
SandiStatus sandi_upload_key(struct SandiUpload upload,
                             uint32_t kind,
                             size_t index,
                             struct SandiPublicPreKey *out);

// The bundle that a server makes of this upload for one peer, with the one-time pre-keys at `index` as long
// as there are some: for tests, and for peers that meet without a server.
//
// Errors: `NotFound` if the upload has no signed pre-key; `InvalidProtocolAddress` for the device id.
SandiStatus sandi_upload_bundle(struct SandiUpload upload,
                                uint32_t device_id,
                                size_t index,
                                struct SandiBuffer *out);

// Frees an upload.
SandiStatus sandi_upload_free(struct SandiUpload upload);

// Decrypts a message of a peer device: `message_type` is `SANDI_MESSAGE_SIGNAL` or `SANDI_MESSAGE_PRE_KEY`, as
// the envelope says. Nothing is durable before `sandi_received_commit`: read the plaintext, store it, commit.
//
// Errors: `DuplicatedMessage`, `Rejected`, `UntrustedIdentity` and others; `sandi_status_disposition` says what
// to do.
SandiStatus sandi_device_decrypt(struct SandiDevice device,
                                 const struct SandiAddress *from,
                                 uint32_t message_type,
                                 const uint8_t *bytes,
                                 size_t bytes_len,
                                 uint64_t now_ms,
                                 struct SandiReceived *out);

// Decrypts a message to a group. Nothing is durable before `sandi_received_commit`.
//
// Errors: `NoSenderKeyState` asks the sender for its key; `DuplicatedMessage` and others.
SandiStatus sandi_device_decrypt_group(struct SandiDevice device,
                                       const struct SandiAddress *from,
                                       const struct SandiDistribution *distribution,
                                       const uint8_t *bytes,
                                       size_t bytes_len,
                                       uint64_t now_ms,
                                       struct SandiReceived *out);

// The plaintext, before or after the commit. A secret.
//
// Errors: `WrongState` after a commit that failed, until one succeeds.
SandiStatus sandi_received_plaintext(struct SandiReceived received, struct SandiBuffer *out);

// The device that sent it. `device_id` may be null.
SandiStatus sandi_received_sender(struct SandiReceived received,
                                  struct SandiBuffer *name,
                                  uint32_t *device_id);

// The identity key under which it was sent, 33 bytes.
//
// Errors: `NotFound` for a message to a group.
SandiStatus sandi_received_identity_key(struct SandiReceived received, struct SandiBuffer *out);

// Whether the message established a session: pre-keys were used up, look at the server's stock. 1 or 0.
SandiStatus sandi_received_is_new_session(struct SandiReceived received, uint32_t *out);

// Makes it durable: from now on the message is a duplicate. After a failure it may be called again.
//
// Errors: `AlreadyCommitted`; `DuplicatedMessage` if another handle has committed this very message; those of
// the store.
SandiStatus sandi_received_commit(struct SandiReceived received);

// Frees a message. One that was not committed can be delivered again.
SandiStatus sandi_received_free(struct SandiReceived received);

// What to do about a message that did not decrypt, where the disposition of its error is
// `AskSenderToResend`. `timestamp_ms` is the message's own, from its envelope.
//
// `out`: the bytes to send to that device, of the type `SANDI_MESSAGE_PLAINTEXT`; no buffer where it was asked for
// often enough: drop the message, and show that one is missing. `attempt` (may be null): 1 to 5, or 0.
SandiStatus sandi_device_ask_retry(struct SandiDevice device,
                                   const struct SandiAddress *from,
                                   uint32_t message_type,
                                   const uint8_t *bytes,
                                   size_t bytes_len,
                                   uint64_t timestamp_ms,
                                   uint64_t now_ms,
                                   struct SandiBuffer *out,
                                   uint32_t *attempt);

// What to do about a message of the type `SANDI_MESSAGE_PLAINTEXT`: a peer's request to send a message again.
//
// Errors: those of the message and of the stored session.
SandiStatus sandi_device_answer_retry(struct SandiDevice device,
                                      const struct SandiAddress *from,
                                      const uint8_t *bytes,
                                      size_t bytes_len,
                                      uint64_t now_ms,
                                      struct SandiAnswer *out);

// Trusts roots: `count` public keys of 33 bytes, one after the other; one that fits is enough. The certificates of
// Signal's service may be named by their ids.
//
// Errors: `InvalidLength`; those of the keys.
SandiStatus sandi_trust_roots(const uint8_t *roots,
                              size_t roots_len,
                              struct SandiTrust *out);

// Trusts the root of Signal's production service, or of its staging service if `staging` is 1.
SandiStatus sandi_trust_signal(uint32_t staging, struct SandiTrust *out);

// Adds a server certificate that a sender certificate may name by its id. It must still be signed by a root.
//
// Errors: those of the certificate; `TooManyHandles` for more than 256.
SandiStatus sandi_trust_add_server_certificate(struct SandiTrust trust,
                                               uint32_t id,
                                               const uint8_t *bytes,
                                               size_t bytes_len);

// Frees what is trusted.
SandiStatus sandi_trust_free(struct SandiTrust trust);

// Seals a message for one device, with the identity key known for it.
//
// Errors: `SessionNotFound` if none is known; those of the certificate and of the store.
SandiStatus sandi_device_seal(struct SandiDevice device,
                              const struct SandiAddress *peer,
                              const struct SandiSealedContent *sealed_content,
                              struct SandiBuffer *out);

// Seals one message for many devices, such as a group's: for the server, which gives each device its part. Sort the
// devices by account. `excluded` are accounts that are members and do not get it: service ids of 17 bytes, one
// after the other.
//
// Errors: `SessionNotFound` for a device whose identity is not known; `InvalidServiceId`, `InvalidRegistrationId`;
// those of the certificate and of the store.
SandiStatus sandi_device_seal_for_many(struct SandiDevice device,
                                       const struct SandiAddress *peers,
                                       size_t count,
                                       const uint8_t *excluded,
                                       size_t excluded_len,
                                       const struct SandiSealedContent *sealed_content,
                                       struct SandiBuffer *out);

// What the server does with a message of `sandi_device_seal_for_many`: the message that the devices of one account
// receive. `service_id` has 17 bytes. For tests, and for servers.
//
// Errors: `NotFound` if the account gets none; those of the message.
SandiStatus sandi_sealed_for_account(const uint8_t *bytes,
                                     size_t bytes_len,
                                     const uint8_t *service_id,
                                     size_t service_id_len,
                                     struct SandiBuffer *out);

// Opens a sealed message and validates its sender's certificate. `e164` is this account's phone number, if its own
// messages are to be recognised by it, too; else empty. What is inside is decrypted as always, from the address
// and of the type that the result names.
//
// Errors: `InvalidSealedSenderMessage`, `SealedSenderSelfSend`, `UnknownSealedSenderServerCertificateId` and others.
SandiStatus sandi_device_open_sealed(struct SandiDevice device,
                                     const uint8_t *bytes,
                                     size_t bytes_len,
                                     struct SandiTrust trust,
                                     const uint8_t *e164,
                                     size_t e164_len,
                                     uint64_t now_ms,
                                     struct SandiOpened *out);

// Frees all buffers of an opened message, and sets the struct to nothing.
//
// Errors: the first of any buffer; the others are freed all the same.
SandiStatus sandi_opened_free(struct SandiOpened *opened);

// For `SandiStoreCallbacks.load`: the record that was found. The bytes are copied.
//
// Errors: `NullPointer`, `InvalidLength`; `OutOfRange` for a revision that is not 1 to 2^63 - 1; `WrongState` if
// one was given already; `StaleHandle` after the callback has returned.
SandiStatus sandi_record_found(struct SandiSink sink,
                               uint64_t revision,
                               const uint8_t *data,
                               size_t len);

// Opens a store in memory: for tests, and for devices that live as long as their process.
SandiStatus sandi_store_memory(struct SandiStore *out);

// Opens a store of the program. The struct is copied.
//
// Errors: `NullPointer`, also where `load` or `commit` is null; the context is not freed then.
SandiStatus sandi_store_callbacks(const struct SandiStoreCallbacks *callbacks, struct SandiStore *out);

#if defined(SANDI_SQLITE)
// Opens the SQLite database at a path (UTF-8), or creates it. Only in a build with SQLite.
//
// Errors: `StoreFailed`.
SandiStatus sandi_store_sqlite(const uint8_t *path, size_t path_len, struct SandiStore *out);
#endif

// Frees a store's handle. Devices that were made of it go on.
SandiStatus sandi_store_free(struct SandiStore store);

// Takes the next bytes, of any number, and gives what they complete: it may be nothing. Plaintext is given only
// after it was verified. After an error the stream has ended.
//
// Errors: `Rejected`; `WrongState` after an end.
SandiStatus sandi_stream_update(struct SandiStream stream,
                                const uint8_t *data,
                                size_t len,
                                struct SandiBuffer *out);

// After the last bytes: gives up to 64 KiB that are still to come before the end, such as padding. Call it until `more`
// is 0, then `sandi_stream_finish`.
//
// Errors: as `sandi_stream_update`.
SandiStatus sandi_stream_drain(struct SandiStream stream,
                               struct SandiBuffer *out,
                               uint32_t *more);

// Ends a stream: gives its last bytes, and what is known now. `report` may be null. The handle is still to be freed;
// that of a verifier is what the second pass needs.
//
// Errors: `Rejected` where the stream as a whole does not verify or is cut short; `WrongState` after an end.
SandiStatus sandi_stream_finish(struct SandiStream stream,
                                struct SandiBuffer *out,
                                struct SandiStreamReport *report);

// Frees a stream, at its end or before.
SandiStatus sandi_stream_free(struct SandiStream stream);

// The border's version of the library at hand.
uint32_t sandi_abi_version(void);

// The library's version, as `"0.1.0"`. The text is static.
const char *sandi_version(void);

// What a status means, in English, for a log. The text is static; never null.
const char *sandi_status_message(int32_t status);

// What to do about a status.
SandiDisposition sandi_status_disposition(int32_t status);

#if defined(SANDI_STD)
// What the last call that failed in this thread has to add to its status: a text in English with the numbers that
// belong to it, for a log. Writes at most `capacity` bytes, the last of which is a 0, and returns the length of
// the whole text without it; 0 if no call has failed. `text` may be null if `capacity` is 0. Secrets do not
// stand in it. Only in a build with `std`.
size_t sandi_last_error(char *text,
                        size_t capacity);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SANDI_H */

#if defined(SANDI_BARE)
/* What the program supplies where there is no operating system. */

#ifdef __cplusplus
extern "C" {
#endif

/* `size` bytes (at least 1) at a multiple of `align`, a power of two; or null if there is no memory left, which ends
 * the program. */
uint8_t *sandi_platform_alloc(size_t size, size_t align);

/* Takes back what sandi_platform_alloc gave for this size and alignment. */
void sandi_platform_free(uint8_t *memory, size_t size, size_t align);

/* Fills `out` from a cryptographic random generator. Returns 0, or any other number if it cannot, which ends the
 * program. */
int32_t sandi_platform_random(uint8_t *out, size_t len);

/* Ends the program: a defect was found, or it cannot go on. Must not return. */
void sandi_platform_abort(void);

#ifdef __cplusplus
}
#endif
#endif
