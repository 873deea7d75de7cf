//! Who can read a chat, through the exported functions: signals in, an event out, consent before a message.
#![allow(missing_docs)]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)] // all of this function's values

use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use sandi_ffi::*;

const NOW: u64 = 1_700_000_000_000;
const BUSINESS: &str = "491234@s.whatsapp.net";

fn device(name: &str, hosted: u32) -> SandiDevice {
    unsafe {
        let mut options = MaybeUninit::<SandiOptions>::uninit();
        assert_eq!(sandi_options_default(options.as_mut_ptr()), SandiStatus::Ok);
        let mut options = options.assume_init();
        (options.one_time, options.one_time_kem, options.refill_below) = (1, 1, 1);
        options.hosted = hosted;
        let new = SandiNewDevice {
            address: address(name),
            identity: null(),
            identity_len: 0,
            registration_id: 0,
            scope: SANDI_SCOPE_ACCOUNT,
        };
        let (mut store, mut device) = (SandiStore { id: 0 }, SandiDevice { id: 0 });
        assert_eq!(sandi_store_memory(&mut store), SandiStatus::Ok);
        assert_eq!(sandi_device_create(store, &new, &options, &mut device), SandiStatus::Ok);
        assert_eq!(sandi_store_free(store), SandiStatus::Ok);
        device
    }
}

fn address(name: &str) -> SandiAddress {
    SandiAddress { name: name.as_ptr(), name_len: name.len(), device: 1 }
}

fn encrypt(device: SandiDevice) -> SandiStatus {
    let mut sent = MaybeUninit::<SandiSent>::uninit();
    unsafe {
        let to = address(BUSINESS);
        let status = sandi_device_encrypt(device, &to, null(), 0, NOW, sent.as_mut_ptr());
        assert_eq!(sandi_buffer_free(&mut sent.assume_init().bytes), SandiStatus::Ok);
        status
    }
}

fn hosting(device: SandiDevice) -> SandiHosting {
    let mut out = MaybeUninit::<SandiHosting>::uninit();
    unsafe {
        let (name, len) = (BUSINESS.as_ptr(), BUSINESS.len());
        let status = sandi_device_hosting_of(device, name, len, out.as_mut_ptr());
        assert_eq!(status, SandiStatus::Ok);
        out.assume_init()
    }
}

#[test]
fn a_hosted_chat_is_an_event_and_waits_for_consent() {
    let (alice, business) = (device("alice", SANDI_HOSTED_REQUIRE_CONSENT), device(BUSINESS, 0));
    unsafe {
        let (mut upload, mut bundle) = (SandiUpload { id: 0 }, MaybeUninit::uninit());
        assert_eq!(sandi_device_replenish(business, 0, 0, NOW, &mut upload), SandiStatus::Ok);
        assert_eq!(sandi_upload_bundle(upload, 1, 0, bundle.as_mut_ptr()), SandiStatus::Ok);
        let mut bundle: SandiBuffer = bundle.assume_init();
        let to = address(BUSINESS);
        let status = sandi_device_start_session(alice, &to, bundle.data, bundle.len, NOW);
        assert_eq!(status, SandiStatus::Ok);
        assert_eq!(sandi_buffer_free(&mut bundle), SandiStatus::Ok);
    }
    assert_eq!(encrypt(alice), SandiStatus::Ok);
    let before = hosting(alice);
    assert_eq!((before.status, before.bound, before.permits), (0, SANDI_HOSTING_NONE, 1));

    let names = [SandiBytes { data: BUSINESS.as_ptr(), len: BUSINESS.len() }];
    let mut signals = [
        SandiHostingSignal { at: 1, source: SANDI_SIGNAL_PROFILE, status: SANDI_HOSTING_META },
        SandiHostingSignal {
            at: 1,
            source: SANDI_SIGNAL_ACCOUNT_TYPE,
            status: SANDI_HOSTING_UNKNOWN_HOST,
        },
    ];
    let learn = |signals: &[SandiHostingSignal]| unsafe {
        sandi_device_learn_hosting(alice, names.as_ptr(), 1, signals.as_ptr(), signals.len(), NOW)
    };
    assert_eq!(learn(&signals), SandiStatus::Ok);
    let known = hosting(alice);
    assert_eq!((known.status, known.bound), (SANDI_HOSTING_META, SANDI_HOSTING_UNKNOWN_HOST));
    assert_eq!((known.asserted, known.consent), (SANDI_HOSTING_META, SANDI_HOSTING_NONE));
    assert_eq!(known.permits, 0);
    let mut event = MaybeUninit::<SandiEvent>::uninit();
    unsafe {
        let status = sandi_device_next_event(alice, event.as_mut_ptr(), null_mut());
        assert_eq!(status, SandiStatus::Ok);
        let mut event = event.assume_init();
        assert_eq!(event.kind, SANDI_EVENT_HOSTING_CHANGED);
        assert_eq!(event.new_hosting, SANDI_HOSTING_META);
        let name = std::slice::from_raw_parts(event.name.data, event.name.len);
        assert_eq!(name, BUSINESS.as_bytes());
        assert_eq!(sandi_buffer_free(&mut event.name), SandiStatus::Ok);
    }

    assert_eq!(encrypt(alice), SandiStatus::ConsentRequired);
    let code = SandiStatus::ConsentRequired as i32;
    assert_eq!(sandi_status_disposition(code), SandiDisposition::AskUser);
    let consent = |to| unsafe {
        sandi_device_consent_to_hosting(alice, BUSINESS.as_ptr(), BUSINESS.len(), to, NOW)
    };
    // to what the user has not seen; to what cannot be consented to; to nothing that there is
    assert_eq!(consent(SANDI_HOSTING_THIRD_PARTY), SandiStatus::ConsentRequired);
    assert!(consent(SANDI_HOSTING_END_TO_END) as i32 >= 100);
    assert_eq!(consent(SANDI_HOSTING_NONE), SandiStatus::OutOfRange);
    assert_eq!(encrypt(alice), SandiStatus::ConsentRequired);
    assert_eq!(consent(SANDI_HOSTING_META), SandiStatus::Ok);
    assert_eq!(hosting(alice).permits, 1);
    assert_eq!(encrypt(alice), SandiStatus::Ok);

    // a number that is no source
    signals[0].source = 7;
    assert_eq!(learn(&signals), SandiStatus::OutOfRange);
}
