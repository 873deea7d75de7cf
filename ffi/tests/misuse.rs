//! The misuse table of docs/ffi.md: a test for every row, through the exported functions.
#![allow(missing_docs)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::multiple_unsafe_ops_per_block
)]

use std::ffi::{CStr, c_void};
use std::ptr::{null, null_mut};

use sandi_ffi::*;

const NOW: u64 = 1_700_000_000_000;
const NO_BUFFER: SandiBuffer = SandiBuffer { data: null(), len: 0, id: 0 };
const NO_SENT: SandiSent = SandiSent {
    status: SandiStatus::Ok,
    message_type: 0,
    registration_id: 0,
    device: 0,
    bytes: NO_BUFFER,
    name: NO_BUFFER,
};

// SAFETY, for all of this file: what is a pointer here points to a value of the calling function, of the length
// given, or is one of the wrong pointers that the function has to find out.
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: see above.
        #[allow(unused_unsafe)]
        unsafe { $name($($argument),*) }
    }};
}

macro_rules! ok {
    ($name:ident($($argument:expr),* $(,)?)) => {
        assert_eq!(call!($name($($argument),*)), SandiStatus::Ok)
    };
}

fn address(name: &str) -> SandiAddress {
    SandiAddress { name: name.as_ptr(), name_len: name.len(), device: 1 }
}

fn memory_store() -> SandiStore {
    let mut store = SandiStore { id: 0 };
    ok!(sandi_store_memory(&mut store));
    store
}

fn options() -> SandiOptions {
    let mut options = std::mem::MaybeUninit::<SandiOptions>::uninit();
    ok!(sandi_options_default(options.as_mut_ptr()));
    // SAFETY: it was written.
    let mut options = unsafe { options.assume_init() };
    options.one_time = 1;
    options.one_time_kem = 1;
    options.refill_below = 1;
    options
}

fn new_device(name: &str) -> SandiNewDevice {
    SandiNewDevice {
        address: address(name),
        identity: null(),
        identity_len: 0,
        registration_id: 0,
        scope: SANDI_SCOPE_ACCOUNT,
    }
}

fn create(store: SandiStore, name: &str) -> SandiDevice {
    let mut device = SandiDevice { id: 0 };
    ok!(sandi_device_create(store, &new_device(name), &options(), &mut device));
    device
}

fn device(name: &str) -> SandiDevice {
    create(memory_store(), name)
}

fn bundle_of(device: SandiDevice) -> Vec<u8> {
    let (mut upload, mut bundle) = (SandiUpload { id: 0 }, NO_BUFFER);
    ok!(sandi_device_replenish(device, 0, 0, NOW, &mut upload));
    ok!(sandi_upload_bundle(upload, 1, 0, &mut bundle));
    ok!(sandi_upload_free(upload));
    take(&mut bundle)
}

fn take(buffer: &mut SandiBuffer) -> Vec<u8> {
    // SAFETY: a buffer of the library, not freed yet.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.data, buffer.len) }.to_vec();
    ok!(sandi_buffer_free(buffer));
    bytes
}

/// Two devices, the first of which can write to the second.
fn pair() -> (SandiDevice, SandiDevice) {
    let (alice, bob) = (device("alice"), device("bob"));
    let bundle = bundle_of(bob);
    ok!(sandi_device_start_session(alice, &address("bob"), bundle.as_ptr(), bundle.len(), NOW));
    (alice, bob)
}

fn encrypt(from: SandiDevice, to: &str, text: &[u8]) -> (u32, Vec<u8>) {
    let mut sent = NO_SENT;
    ok!(sandi_device_encrypt(from, &address(to), text.as_ptr(), text.len(), NOW, &mut sent));
    (sent.message_type, take(&mut sent.bytes))
}

fn decrypt(
    at: SandiDevice,
    from: &str,
    message: &(u32, Vec<u8>),
) -> Result<SandiReceived, SandiStatus> {
    let mut received = SandiReceived { id: 7 };
    let (data, len) = (message.1.as_ptr(), message.1.len());
    let status =
        call!(sandi_device_decrypt(at, &address(from), message.0, data, len, NOW, &mut received));
    match status {
        SandiStatus::Ok => Ok(received),
        status => {
            assert_eq!(received.id, 0, "the output is nothing after a failure");
            Err(status)
        }
    }
}

fn last_error() -> String {
    let mut text = [0; 200];
    call!(sandi_last_error(text.as_mut_ptr(), text.len()));
    // SAFETY: a terminated text.
    unsafe { CStr::from_ptr(text.as_ptr()) }.to_str().unwrap().to_owned()
}

// ---- handles ----

#[test]
fn a_handle_that_was_never_given_out() {
    let mut sent = NO_SENT;
    for id in [0, 1, u64::MAX, 3 << 56 | 0xFF_FFFE, 3 << 56 | u64::from(u32::MAX) << 24] {
        let device = SandiDevice { id };
        let status =
            call!(sandi_device_encrypt(device, &address("bob"), null(), 0, NOW, &mut sent));
        assert!(
            matches!(status, SandiStatus::InvalidHandle | SandiStatus::WrongHandle),
            "{id:#x}: {status:?}"
        );
    }
}

#[test]
fn a_handle_of_another_kind() {
    let store = memory_store();
    let device = SandiDevice { id: store.id };
    let mut out = 0;
    assert_eq!(call!(sandi_device_registration_id(device, &mut out)), SandiStatus::WrongHandle);
    assert_eq!(call!(sandi_device_free(device)), SandiStatus::WrongHandle);
    ok!(sandi_store_free(store));
}

#[test]
fn a_handle_that_was_freed() {
    let device = device("alice");
    ok!(sandi_device_free(device));
    let mut out = 0;
    assert_eq!(call!(sandi_device_registration_id(device, &mut out)), SandiStatus::StaleHandle);
}

#[test]
fn a_handle_freed_twice() {
    let device = device("alice");
    ok!(sandi_device_free(device));
    assert_eq!(call!(sandi_device_free(device)), SandiStatus::StaleHandle);
    // even when its place has another object meanwhile
    let other = create(memory_store(), "other");
    assert_eq!(call!(sandi_device_free(device)), SandiStatus::StaleHandle);
    ok!(sandi_device_free(other));
}

#[test]
fn no_handle_is_freed() {
    ok!(sandi_device_free(SandiDevice { id: 0 }));
    ok!(sandi_store_free(SandiStore { id: 0 }));
    ok!(sandi_received_free(SandiReceived { id: 0 }));
    ok!(sandi_stream_free(SandiStream { id: 0 }));
    ok!(sandi_trust_free(SandiTrust { id: 0 }));
    ok!(sandi_upload_free(SandiUpload { id: 0 }));
    ok!(sandi_group_sent_free(SandiGroupSent { id: 0 }));
    ok!(sandi_buffer_free(&mut { NO_BUFFER }));
}

#[test]
fn a_store_freed_before_its_device() {
    let store = memory_store();
    let device = create(store, "alice");
    ok!(sandi_store_free(store));
    assert!(!bundle_of(device).is_empty());
}

#[test]
fn a_device_freed_before_its_message_is_committed() {
    let (alice, bob) = pair();
    let received = decrypt(bob, "alice", &encrypt(alice, "bob", b"hello")).unwrap();
    ok!(sandi_device_free(bob));
    let mut text = NO_BUFFER;
    ok!(sandi_received_plaintext(received, &mut text));
    assert_eq!(take(&mut text), b"hello");
    ok!(sandi_received_commit(received));
    ok!(sandi_received_free(received));
}

// ---- buffers ----

#[test]
fn a_buffer_freed_twice() {
    let mut key = NO_BUFFER;
    ok!(sandi_attachment_key(&mut key));
    let mut copy = key;
    ok!(sandi_buffer_free(&mut key));
    assert_eq!((key.data, key.len, key.id), (null(), 0, 0));
    ok!(sandi_buffer_free(&mut key));
    assert_eq!(call!(sandi_buffer_free(&mut copy)), SandiStatus::StaleHandle);
}

#[test]
fn a_buffer_whose_pointer_was_altered() {
    let mut key = NO_BUFFER;
    ok!(sandi_attachment_key(&mut key));
    key.data = 8 as *const u8;
    key.len = usize::MAX;
    ok!(sandi_buffer_free(&mut key));
}

#[test]
fn a_buffer_of_the_program() {
    let bytes = [1, 2, 3];
    let mut own = SandiBuffer { data: bytes.as_ptr(), len: 3, id: 0 };
    ok!(sandi_buffer_free(&mut own));
    let mut own = SandiBuffer { data: bytes.as_ptr(), len: 3, id: 0x0100_0000_1234_5678 };
    let status = call!(sandi_buffer_free(&mut own));
    assert!(matches!(status, SandiStatus::InvalidHandle | SandiStatus::StaleHandle), "{status:?}");
}

// ---- pointers, lengths, numbers ----

#[test]
fn a_null_pointer() {
    let device = device("alice");
    let mut sent = NO_SENT;
    let null_status = SandiStatus::NullPointer;
    assert_eq!(call!(sandi_device_encrypt(device, null(), null(), 0, NOW, &mut sent)), null_status);
    let to = address("bob");
    assert_eq!(call!(sandi_device_encrypt(device, &to, null(), 5, NOW, &mut sent)), null_status);
    assert_eq!(call!(sandi_device_encrypt(device, &to, null(), 0, NOW, null_mut())), null_status);
    assert_eq!(call!(sandi_store_memory(null_mut())), null_status);
    assert_eq!(call!(sandi_buffer_free(null_mut())), null_status);
    let nameless = SandiAddress { name: null(), name_len: 3, device: 1 };
    assert_eq!(
        call!(sandi_device_encrypt(device, &nameless, null(), 0, NOW, &mut sent)),
        null_status
    );
    // with a length of 0 it is no bytes
    assert_eq!(
        call!(sandi_device_encrypt(device, &to, null(), 0, NOW, &mut sent)),
        SandiStatus::SessionNotFound
    );
}

#[test]
fn a_misaligned_pointer() {
    let device = device("alice");
    let memory = [0_u64; 16];
    let odd = memory.as_ptr().cast::<u8>().wrapping_add(1);
    let mut sent = NO_SENT;
    let misaligned = SandiStatus::Misaligned;
    assert_eq!(
        call!(sandi_device_encrypt(device, odd.cast(), null(), 0, NOW, &mut sent)),
        misaligned
    );
    assert_eq!(
        call!(sandi_device_encrypt(device, &address("bob"), null(), 0, NOW, odd.cast_mut().cast())),
        misaligned
    );
    assert_eq!(call!(sandi_device_registration_id(device, odd.cast_mut().cast())), misaligned);
}

#[test]
fn a_length_beyond_memory() {
    let device = device("alice");
    let mut sent = NO_SENT;
    let (one, to) = ([0_u8], address("bob"));
    let status = call!(sandi_device_encrypt(device, &to, one.as_ptr(), usize::MAX, NOW, &mut sent));
    assert_eq!(status, SandiStatus::InvalidLength);
    let status =
        call!(sandi_device_encrypt_many(device, [].as_ptr(), usize::MAX / 2, NOW, &mut sent));
    assert_eq!(status, SandiStatus::InvalidLength);
}

#[test]
fn a_key_of_another_length() {
    let mut stream = SandiStream { id: 0 };
    let key = [0; 64];
    for len in [0, 1, 63] {
        let status = call!(sandi_attachment_encrypt(key.as_ptr(), len, 0, 0, &mut stream));
        assert_eq!(status, SandiStatus::InvalidLength);
    }
    let mut new = new_device("alice");
    (new.identity, new.identity_len) = (key.as_ptr(), 31);
    let mut out = SandiDevice { id: 0 };
    let status = call!(sandi_device_create(memory_store(), &new, null(), &mut out));
    assert_eq!(status, SandiStatus::BadKeyLength);
}

#[test]
fn text_that_is_not_utf8() {
    let mut new = new_device("alice");
    let name = [0xFF, 0xFE];
    (new.address.name, new.address.name_len) = (name.as_ptr(), 2);
    let mut out = SandiDevice { id: 0 };
    let status = call!(sandi_device_create(memory_store(), &new, null(), &mut out));
    assert_eq!(status, SandiStatus::InvalidText);
}

#[test]
fn a_number_out_of_range() {
    let device = device("alice");
    let mut far = address("bob");
    far.device = 256;
    let mut sent = NO_SENT;
    assert_eq!(
        call!(sandi_device_encrypt(device, &far, null(), 0, NOW, &mut sent)),
        SandiStatus::InvalidProtocolAddress
    );
    assert_eq!(decrypt(device, "bob", &(5, vec![0])), Err(SandiStatus::OutOfRange));
    let mut out = SandiDevice { id: 0 };
    let mut wrong = options();
    wrong.dialects = 9;
    let status = call!(sandi_device_open(memory_store(), &wrong, &mut out));
    assert_eq!(status, SandiStatus::OutOfRange);
    let mut stream = SandiStream { id: 0 };
    let key = [0; 64];
    let status = call!(sandi_attachment_encrypt(key.as_ptr(), 64, 3, 0, &mut stream));
    assert_eq!(status, SandiStatus::OutOfRange);
}

#[test]
fn options_of_another_version() {
    let mut wrong = options();
    wrong.size += 8;
    let mut out = SandiDevice { id: 0 };
    let status = call!(sandi_device_open(memory_store(), &wrong, &mut out));
    assert_eq!(status, SandiStatus::InvalidLength);
}

#[test]
fn a_status_that_is_none() {
    // SAFETY: a static, terminated text.
    let text = |code| unsafe { CStr::from_ptr(sandi_status_message(code)) }.to_str().unwrap();
    assert_eq!(text(12345), "no status of this library");
    assert_eq!(text(-1), "no status of this library");
    assert_eq!(text(SandiStatus::StaleHandle as i32), "the handle was freed before");
    assert_eq!(sandi_status_disposition(12345), SandiDisposition::FixCaller);
    assert_eq!(
        sandi_status_disposition(SandiStatus::UntrustedIdentity as i32),
        SandiDisposition::AskUser
    );
}

#[test]
fn room_for_the_last_error_that_is_too_small() {
    let device = SandiDevice { id: 5 };
    let mut out = 0;
    call!(sandi_device_registration_id(device, &mut out));
    let whole = call!(sandi_last_error(null_mut(), 0));
    assert_eq!(whole, last_error().len());
    let mut few = [1; 5];
    assert_eq!(call!(sandi_last_error(few.as_mut_ptr(), few.len())), whole);
    assert_eq!(few[4], 0);
}

// ---- bundles ----

#[test]
fn a_bundle_that_is_cut_short_or_too_long_or_of_a_later_version() {
    let bob = device("bob");
    let mut bundle = bundle_of(bob);
    let mut read = std::mem::MaybeUninit::<SandiBundleRead>::uninit();
    for len in 0..bundle.len() {
        let status = call!(sandi_bundle_decode(bundle.as_ptr(), len, read.as_mut_ptr()));
        assert_eq!(status, SandiStatus::InvalidLength, "{len}");
    }
    bundle.push(0);
    let status = call!(sandi_bundle_decode(bundle.as_ptr(), bundle.len(), read.as_mut_ptr()));
    assert_eq!(status, SandiStatus::InvalidLength);
    bundle.pop();
    bundle[0] = 2;
    let status = call!(sandi_bundle_decode(bundle.as_ptr(), bundle.len(), read.as_mut_ptr()));
    assert_eq!(status, SandiStatus::UnknownEncoding);
}

#[test]
fn a_bundle_reads_back_as_it_was_written() {
    let bundle = bundle_of(device("bob"));
    assert_eq!(bundle.len(), 1815);
    let mut read = std::mem::MaybeUninit::<SandiBundleRead>::uninit();
    ok!(sandi_bundle_decode(bundle.as_ptr(), bundle.len(), read.as_mut_ptr()));
    // SAFETY: it was written.
    let mut read = unsafe { read.assume_init() };
    assert_eq!((read.parts.device_id, read.parts.kem_key.len), (1, 1569));
    let mut again = NO_BUFFER;
    ok!(sandi_bundle_encode(&read.parts, &mut again));
    assert_eq!(take(&mut again), bundle);
    read.parts.one_time_key.len = 0;
    read.parts.kem_key.len = 0;
    ok!(sandi_bundle_encode(&read.parts, &mut again));
    assert_eq!(take(&mut again).len(), 141);
    ok!(sandi_buffer_free(&mut read.memory));
}

// ---- messages ----

#[test]
fn a_message_that_is_garbage() {
    let (_, bob) = pair();
    for kind in [2, 3] {
        for bytes in [&[][..], &[0x44], &[0x33; 200], &[0xFF; 1000]] {
            let status = decrypt(bob, "alice", &(kind, bytes.to_vec())).unwrap_err();
            assert!(status as i32 >= 100, "{status:?}");
        }
    }
}

#[test]
fn a_message_dropped_without_a_commit() {
    let (alice, bob) = pair();
    let message = encrypt(alice, "bob", b"once");
    ok!(sandi_received_free(decrypt(bob, "alice", &message).unwrap()));
    let received = decrypt(bob, "alice", &message).unwrap();
    ok!(sandi_received_commit(received));
    assert_eq!(decrypt(bob, "alice", &message), Err(SandiStatus::DuplicatedMessage));
}

#[test]
fn a_message_committed_twice() {
    let (alice, bob) = pair();
    let received = decrypt(bob, "alice", &encrypt(alice, "bob", b"once")).unwrap();
    ok!(sandi_received_commit(received));
    assert_eq!(call!(sandi_received_commit(received)), SandiStatus::AlreadyCommitted);
    // it can still be read
    let mut text = NO_BUFFER;
    ok!(sandi_received_plaintext(received, &mut text));
    assert_eq!(take(&mut text), b"once");
}

#[test]
fn one_message_decrypted_twice_before_a_commit() {
    let (alice, bob) = pair();
    let message = encrypt(alice, "bob", b"once");
    let (first, second) =
        (decrypt(bob, "alice", &message).unwrap(), decrypt(bob, "alice", &message).unwrap());
    ok!(sandi_received_commit(first));
    assert_eq!(call!(sandi_received_commit(second)), SandiStatus::DuplicatedMessage);
    assert_eq!(call!(sandi_received_commit(second)), SandiStatus::DuplicatedMessage);
    let mut text = NO_BUFFER;
    assert_eq!(call!(sandi_received_plaintext(second, &mut text)), SandiStatus::WrongState);
}

#[test]
fn messages_committed_in_another_order() {
    let (alice, bob) = pair();
    let received: Vec<_> =
        (0..3_u8).map(|n| decrypt(bob, "alice", &encrypt(alice, "bob", &[n])).unwrap()).collect();
    for at in [2, 0, 1] {
        ok!(sandi_received_commit(received[at]));
        let mut text = NO_BUFFER;
        ok!(sandi_received_plaintext(received[at], &mut text));
        assert_eq!(take(&mut text), [at as u8]);
    }
}

#[test]
fn a_session_that_is_used_between_decryption_and_commit() {
    let (alice, bob) = pair();
    ok!(sandi_received_commit(decrypt(bob, "alice", &encrypt(alice, "bob", b"1")).unwrap()));
    let received = decrypt(bob, "alice", &encrypt(alice, "bob", b"2")).unwrap();
    let answer = encrypt(bob, "alice", b"3");
    ok!(sandi_received_commit(received));
    ok!(sandi_received_commit(decrypt(alice, "bob", &answer).unwrap()));
    let on = encrypt(bob, "alice", b"4");
    ok!(sandi_received_commit(decrypt(alice, "bob", &on).unwrap()));
}

// ---- callbacks ----

#[derive(Default)]
struct Program {
    device: SandiDevice2,
    loads: u32,
    seen: Vec<SandiStatus>,
    sink: u64,
    fails: bool,
    frees: u32,
}

/// A handle that is none at first.
struct SandiDevice2(SandiDevice);

impl Default for SandiDevice2 {
    fn default() -> Self {
        Self(SandiDevice { id: 0 })
    }
}

unsafe extern "C" fn load(
    context: *mut c_void,
    _key: *const u8,
    _len: usize,
    sink: SandiSink,
) -> i32 {
    // SAFETY: the context is the test's program.
    let program = unsafe { &mut *context.cast::<Program>() };
    program.loads += 1;
    program.sink = sink.id;
    if program.fails {
        return 42;
    }
    let mut out = 0;
    program.seen.push(call!(sandi_device_registration_id(program.device.0, &mut out)));
    program.seen.push(call!(sandi_record_found(sink, 0, null(), 0)));
    program.seen.push(call!(sandi_record_found(sink, 1, null(), 4)));
    program.seen.push(call!(sandi_content_write(sink, null(), 0)));
    0
}

unsafe extern "C" fn commit(_: *mut c_void, _: *const SandiChange, _: usize) -> i32 {
    0
}

unsafe extern "C" fn free_context(context: *mut c_void) {
    // SAFETY: as above.
    unsafe { &mut *context.cast::<Program>() }.frees += 1;
}

fn callbacks(program: &mut Program) -> SandiStoreCallbacks {
    SandiStoreCallbacks {
        context: std::ptr::from_mut(program).cast(),
        load: Some(load),
        commit: Some(commit),
        free_context: Some(free_context),
    }
}

#[test]
fn a_callback_that_calls_back() {
    let mut program = Program::default();
    let mut store = SandiStore { id: 0 };
    ok!(sandi_store_callbacks(&callbacks(&mut program), &mut store));
    program.device.0 = create(store, "alice");
    let mut sent = NO_SENT;
    call!(sandi_device_encrypt(program.device.0, &address("bob"), null(), 0, NOW, &mut sent));
    assert!(program.loads > 0);
    let wrong = [
        SandiStatus::Reentrant,
        SandiStatus::OutOfRange,
        SandiStatus::NullPointer,
        SandiStatus::InvalidHandle,
    ];
    assert_eq!(program.seen[..4], wrong);
    // the sink is gone after the callback
    let sink = SandiSink { id: program.sink };
    assert_eq!(call!(sandi_record_found(sink, 1, null(), 0)), SandiStatus::StaleHandle);
    ok!(sandi_device_free(program.device.0));
    ok!(sandi_store_free(store));
    assert_eq!(program.frees, 1);
}

#[test]
fn a_callback_that_fails() {
    let mut program = Program { fails: true, ..Program::default() };
    let mut store = SandiStore { id: 0 };
    ok!(sandi_store_callbacks(&callbacks(&mut program), &mut store));
    let mut out = SandiDevice { id: 0 };
    assert_eq!(call!(sandi_device_open(store, null(), &mut out)), SandiStatus::StoreFailed);
    assert_eq!(last_error(), "the store failed: code 42");
    ok!(sandi_store_free(store));
}

#[test]
fn callbacks_that_are_null() {
    let mut program = Program::default();
    let mut without = callbacks(&mut program);
    without.commit = None;
    let mut store = SandiStore { id: 0 };
    assert_eq!(call!(sandi_store_callbacks(&without, &mut store)), SandiStatus::NullPointer);
    assert_eq!(program.frees, 0);
}

unsafe extern "C" fn fail(_: *mut c_void, _: *const u8, _: usize, _: SandiSink) -> i32 {
    1
}

unsafe extern "C" fn forget(_: *mut c_void, _: *const u8, _: usize, _: SandiSink) -> i32 {
    0
}

#[test]
fn a_wrap_that_fails_or_gives_nothing() {
    let (alice, bob) = pair();
    let id = [7; 16];
    let distribution =
        SandiDistribution { kind: SANDI_DISTRIBUTION_ID, id: id.as_ptr(), id_len: 16 };
    let members = [address("alice"), address("bob")];
    let mut sent = SandiGroupSent { id: 0 };
    let wraps: [SandiWrap; 2] = [Some(fail), Some(forget)];
    for wrap in wraps {
        let status = call!(sandi_device_send_to_group(
            alice,
            &distribution,
            members.as_ptr(),
            2,
            null(),
            0,
            wrap,
            null_mut(),
            NOW,
            &mut sent,
        ));
        assert_eq!(status, SandiStatus::CallbackFailed);
    }
    // nothing was spent: the first message is the first
    let message = encrypt(alice, "bob", b"first");
    ok!(sandi_received_commit(decrypt(bob, "alice", &message).unwrap()));
    ok!(sandi_device_send_to_group(
        alice,
        &distribution,
        members.as_ptr(),
        2,
        null(),
        0,
        None,
        null_mut(),
        NOW,
        &mut sent,
    ));
    let mut one = NO_SENT;
    ok!(sandi_group_sent_distribution(sent, 0, &mut one));
    let carried = (one.message_type, take(&mut one.bytes));
    assert_eq!(take(&mut one.name), b"bob");
    ok!(sandi_received_commit(decrypt(bob, "alice", &carried).unwrap()));
}

// ---- streams ----

#[test]
fn a_stream_that_has_ended() {
    let key = [5; 64];
    let (mut stream, mut out, mut more) = (SandiStream { id: 0 }, NO_BUFFER, 0);
    ok!(sandi_attachment_encrypt(key.as_ptr(), 64, SANDI_INCREMENTAL_NONE, 0, &mut stream));
    ok!(sandi_stream_update(stream, null(), 0, &mut out));
    ok!(sandi_buffer_free(&mut out));
    loop {
        ok!(sandi_stream_drain(stream, &mut out, &mut more));
        ok!(sandi_buffer_free(&mut out));
        if more == 0 {
            break;
        }
    }
    ok!(sandi_stream_finish(stream, &mut out, null_mut()));
    ok!(sandi_buffer_free(&mut out));
    let ended = SandiStatus::WrongState;
    assert_eq!(call!(sandi_stream_finish(stream, &mut out, null_mut())), ended);
    assert_eq!(call!(sandi_stream_update(stream, null(), 0, &mut out)), ended);
    assert_eq!(call!(sandi_stream_drain(stream, &mut out, &mut more)), ended);
    let mut second = SandiStream { id: 0 };
    let status = call!(sandi_attachment_decrypt_verified(stream, key.as_ptr(), 64, 0, &mut second));
    assert_eq!(status, ended);
    ok!(sandi_stream_free(stream));
}

// ---- threads ----

#[test]
fn two_threads_on_one_device() {
    let (alice, bob) = pair();
    let threads: Vec<_> = (0..4_u8)
        .map(|n| {
            std::thread::spawn(move || {
                for _ in 0..5 {
                    let message = encrypt(alice, "bob", &[n]);
                    let received = decrypt(bob, "alice", &message).unwrap();
                    let mut text = NO_BUFFER;
                    ok!(sandi_received_plaintext(received, &mut text));
                    assert_eq!(take(&mut text), [n]);
                    ok!(sandi_received_commit(received));
                    ok!(sandi_received_free(received));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_device_freed_while_another_thread_uses_it() {
    let (alice, _) = pair();
    let worker = std::thread::spawn(move || {
        let mut sent = NO_SENT;
        loop {
            match call!(sandi_device_encrypt(alice, &address("bob"), null(), 0, NOW, &mut sent)) {
                SandiStatus::Ok => ok!(sandi_buffer_free(&mut sent.bytes)),
                status => return status,
            }
        }
    });
    std::thread::sleep(std::time::Duration::from_millis(20));
    ok!(sandi_device_free(alice));
    assert_eq!(worker.join().unwrap(), SandiStatus::StaleHandle);
}
