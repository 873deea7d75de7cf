//! The C ABI driven by bytes: any calls in any order, with handles that are right, freed, forged or of another kind,
//! and with buffers that are empty, cut, damaged or somebody else's. Nothing crashes; what was freed stays freed;
//! and a failure leaves no output.
#![no_main]

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use libfuzzer_sys::fuzz_target;
use sandi_ffi::*;

const NOW: u64 = 1_700_000_000_000;
const NO_BUFFER: SandiBuffer = SandiBuffer { data: null(), len: 0, id: 0 };

/// What the bytes decide.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> usize {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte.into()
            }
            None => 0,
        }
    }

    fn take(&mut self) -> &'a [u8] {
        let len = self.byte().min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}

/// What the calls have given.
struct World {
    /// Every handle that was ever given out, of any kind.
    ids: Vec<u64>,
    buffers: Vec<SandiBuffer>,
    freed: Vec<SandiBuffer>,
    bytes: Vec<Vec<u8>>,
}

static NAMES: [&str; 3] = ["alice", "bob", "9d0652a3-dcc3-4d11-975f-74d61598733f"];

impl World {
    fn id(&self, input: &mut Input<'_>) -> u64 {
        let at = input.byte();
        match at {
            0 => 0,
            1 => u64::from_le_bytes(core::array::from_fn(|_| input.byte() as u8)),
            _ if self.ids.is_empty() => 0,
            2 => self.ids[self.ids.len() - 1] ^ 1 << (input.byte() % 64),
            // the newest ones are the most interesting
            _ => self.ids[self.ids.len() - 1 - (at - 3) % self.ids.len()],
        }
    }

    fn bytes(&self, input: &mut Input<'_>) -> Vec<u8> {
        let at = input.byte();
        if at < 16 || self.bytes.is_empty() {
            return input.take().to_vec();
        }
        let mut bytes = self.bytes[self.bytes.len() - 1 - at % self.bytes.len()].clone();
        match input.byte() {
            0 => bytes.truncate(input.byte()),
            1 if !bytes.is_empty() => {
                let at = (input.byte() << 8 | input.byte()) % bytes.len();
                bytes[at] ^= 1 << (input.byte() % 8);
            }
            _ => {}
        }
        bytes
    }

    fn keep(&mut self, buffer: SandiBuffer) {
        if buffer.id != 0 {
            // Every byte can be read.
            let bytes = unsafe { core::slice::from_raw_parts(buffer.data, buffer.len) };
            self.bytes.push(bytes.to_vec());
            self.buffers.push(buffer);
        }
    }
}

fn address(input: &mut Input<'_>) -> SandiAddress {
    let choice = input.byte();
    let name = NAMES[choice % NAMES.len()];
    let device = if choice < 250 { 1 } else { choice as u32 - 120 };
    SandiAddress { name: name.as_ptr(), name_len: name.len(), device }
}

/// A store that refuses, fails, finds garbage and calls back, as a byte of its own says.
struct Hostile(u8);

unsafe extern "C" fn load(context: *mut c_void, key: *const u8, len: usize, sink: SandiSink) -> i32 {
    let hostile = unsafe { &mut *context.cast::<Hostile>() };
    hostile.0 = hostile.0.wrapping_mul(5).wrapping_add(1);
    match hostile.0 >> 5 {
        0 => 9,
        1 => {
            let _ = unsafe { sandi_record_found(sink, 1, key, len) };
            let _ = unsafe { sandi_record_found(sink, 2, key, len) };
            0
        }
        2 => {
            let mut out = SandiStore { id: 0 };
            assert_eq!(unsafe { sandi_store_memory(&mut out) }, SandiStatus::Reentrant);
            0
        }
        _ => 0,
    }
}

unsafe extern "C" fn commit(context: *mut c_void, _: *const SandiChange, _: usize) -> i32 {
    let hostile = unsafe { &mut *context.cast::<Hostile>() };
    hostile.0 = hostile.0.wrapping_mul(5).wrapping_add(1);
    i32::from(hostile.0 >> 6 == 3)
}

unsafe extern "C" fn free_context(context: *mut c_void) {
    drop(unsafe { Box::from_raw(context.cast::<Hostile>()) });
}

unsafe extern "C" fn wrap(context: *mut c_void, data: *const u8, len: usize, sink: SandiSink) -> i32 {
    let _ = unsafe { sandi_content_write(sink, data, len) };
    i32::from(!context.is_null())
}

fn step(world: &mut World, input: &mut Input<'_>) {
    let mut buffer = NO_BUFFER;
    let mut number = 0_u32;
    let mut sent = SandiSent {
        status: SandiStatus::Ok,
        message_type: 0,
        registration_id: 0,
        device: 0,
        bytes: NO_BUFFER,
        name: NO_BUFFER,
    };
    let op = input.byte();
    let id = world.id(input);
    let device = SandiDevice { id };
    let made: u64 = unsafe {
        match op % 34 {
            0 => {
                let mut out = SandiStore { id: 1 };
                let _ = sandi_store_memory(&mut out);
                out.id
            }
            1 => {
                let hostile = Box::into_raw(Box::new(Hostile(input.byte() as u8)));
                let callbacks = SandiStoreCallbacks {
                    context: hostile.cast(),
                    load: Some(load),
                    commit: Some(commit),
                    free_context: Some(free_context),
                };
                let mut out = SandiStore { id: 1 };
                assert_eq!(sandi_store_callbacks(&callbacks, &mut out), SandiStatus::Ok);
                out.id
            }
            2 | 3 => {
                let identity = world.bytes(input);
                let private = op % 34 == 3;
                let new = SandiNewDevice {
                    address: address(input),
                    identity: identity.as_ptr(),
                    identity_len: if private { identity.len() } else { 0 },
                    registration_id: input.byte() as u32,
                    scope: (input.byte() % 3) as u32,
                };
                let mut options = core::mem::MaybeUninit::<SandiOptions>::uninit();
                assert_eq!(sandi_options_default(options.as_mut_ptr()), SandiStatus::Ok);
                let mut options = options.assume_init();
                options.one_time = 2;
                options.one_time_kem = 1;
                options.refill_below = 1;
                options.dialects = (input.byte() % 5) as u32;
                options.trust = (input.byte() % 4) as u32;
                options.cached_sessions = (input.byte() % 2) as u32;
                let mut out = SandiDevice { id: 1 };
                let _ = sandi_device_create(SandiStore { id }, &new, &options, &mut out);
                out.id
            }
            4 => {
                let mut out = SandiDevice { id: 1 };
                let _ = sandi_device_open(SandiStore { id }, null(), &mut out);
                out.id
            }
            5 => {
                let mut out = SandiUpload { id: 1 };
                let _ = sandi_device_replenish(device, 2, 1, NOW, &mut out);
                out.id
            }
            6 => {
                let upload = SandiUpload { id: world.id(input) };
                let _ = sandi_device_confirm_upload(device, upload, NOW);
                0
            }
            7 => {
                let _ = sandi_upload_bundle(SandiUpload { id }, 1, input.byte(), &mut buffer);
                0
            }
            8 => {
                let mut key = SandiPublicPreKey {
                    id: 0,
                    reserved: 0,
                    key: NO_BUFFER,
                    signature: NO_BUFFER,
                };
                let kind = (input.byte() % 5) as u32;
                let _ = sandi_upload_key(SandiUpload { id }, kind, input.byte(), &mut key);
                world.keep(key.key);
                world.keep(key.signature);
                0
            }
            9 | 10 => {
                let bundle = world.bytes(input);
                let to = address(input);
                let _ = sandi_device_start_session(device, &to, bundle.as_ptr(), bundle.len(), NOW);
                0
            }
            11 | 12 => {
                let (text, to) = (world.bytes(input), address(input));
                let status = sandi_device_encrypt(
                    device, &to, text.as_ptr(), text.len(), NOW, &mut sent,
                );
                assert_eq!(status == SandiStatus::Ok, sent.bytes.id != 0);
                world.keep(sent.bytes);
                0
            }
            13 => {
                let text = world.bytes(input);
                let to = [address(input), address(input)].map(|address| SandiRecipient {
                    address,
                    plaintext: text.as_ptr(),
                    plaintext_len: text.len(),
                });
                let mut many = [sent; 2];
                let _ = sandi_device_encrypt_many(
                    device, to.as_ptr(), 2, NOW, many.as_mut_ptr(),
                );
                for sent in many {
                    world.keep(sent.bytes);
                }
                0
            }
            14..=16 => {
                let (bytes, from) = (world.bytes(input), address(input));
                let kind = [2, 3, 3, 7, 9][input.byte() % 5];
                let mut out = SandiReceived { id: 1 };
                let status = sandi_device_decrypt(
                    device, &from, kind, bytes.as_ptr(), bytes.len(), NOW, &mut out,
                );
                assert_eq!(status == SandiStatus::Ok, out.id != 0);
                out.id
            }
            17 => {
                let _ = sandi_received_plaintext(SandiReceived { id }, &mut buffer);
                0
            }
            18 => {
                let _ = sandi_received_commit(SandiReceived { id });
                0
            }
            19 => {
                let _ = sandi_received_sender(SandiReceived { id }, &mut buffer, &mut number);
                0
            }
            20 => {
                let name = input.take();
                let distribution = SandiDistribution {
                    kind: (input.byte() % 3) as u32,
                    id: name.as_ptr(),
                    id_len: name.len(),
                };
                let members = [address(input), address(input)];
                let context = if input.byte() == 0 { (&raw mut number).cast() } else { null_mut() };
                let mut out = SandiGroupSent { id: 1 };
                let _ = sandi_device_send_to_group(
                    device, &distribution, members.as_ptr(), 2, null(), 0, Some(wrap), context, NOW,
                    &mut out,
                );
                out.id
            }
            21 => {
                let _ = sandi_group_sent_message(SandiGroupSent { id }, &mut buffer, null_mut());
                let _ = sandi_group_sent_distribution(SandiGroupSent { id }, 0, &mut sent);
                world.keep(sent.bytes);
                world.keep(sent.name);
                0
            }
            22 => {
                let (name, bytes, from) = (input.take(), world.bytes(input), address(input));
                let distribution = SandiDistribution {
                    kind: (input.byte() % 2) as u32,
                    id: name.as_ptr(),
                    id_len: name.len(),
                };
                let _ = sandi_device_accept_distribution(
                    device, &from, &distribution, bytes.as_ptr(), bytes.len(), NOW,
                );
                let mut out = SandiReceived { id: 1 };
                let _ = sandi_device_decrypt_group(
                    device, &from, &distribution, bytes.as_ptr(), bytes.len(), NOW, &mut out,
                );
                out.id
            }
            23 => {
                let bytes = world.bytes(input);
                let mut read = core::mem::MaybeUninit::<SandiBundleRead>::uninit();
                let status = sandi_bundle_decode(bytes.as_ptr(), bytes.len(), read.as_mut_ptr());
                let read = read.assume_init();
                if status == SandiStatus::Ok {
                    let mut again = NO_BUFFER;
                    assert_eq!(sandi_bundle_encode(&read.parts, &mut again), SandiStatus::Ok);
                    world.keep(again);
                    assert_eq!(world.bytes.last(), Some(&bytes));
                }
                world.keep(read.memory);
                0
            }
            24 => {
                let key = [input.byte() as u8; 64];
                let mut out = SandiStream { id: 1 };
                let size = input.byte() as u64;
                let incremental = (input.byte() % 4) as u32;
                let _ = sandi_attachment_encrypt(key.as_ptr(), 64, incremental, size, &mut out);
                out.id
            }
            25 => {
                let key = [input.byte() as u8; 64];
                let mut out = SandiStream { id: 1 };
                if input.byte() % 2 == 0 {
                    let _ = sandi_attachment_verify(key.as_ptr(), 64, key.as_ptr(), 32, &mut out);
                } else {
                    let first = SandiStream { id };
                    let size = input.byte() as u64;
                    let _ = sandi_attachment_decrypt_verified(first, key.as_ptr(), 64, size, &mut out);
                }
                out.id
            }
            26 => {
                let (key, info) = ([input.byte() as u8; 32], input.take());
                let key = SandiMediaKey {
                    key: SandiBytes { data: key.as_ptr(), len: 32 },
                    info: SandiBytes { data: info.as_ptr(), len: info.len() },
                    kind: (input.byte() % 12) as u32,
                    reserved: 0,
                };
                let (sidecar, mut out) = (world.bytes(input), SandiStream { id: 1 });
                let _ = match input.byte() % 3 {
                    0 => sandi_media_encrypt(&key, (input.byte() % 3) as u32, &mut out),
                    1 => sandi_media_decrypt(
                        &key, null(), sidecar.as_ptr(), sidecar.len(), &mut out,
                    ),
                    _ => sandi_media_verify(&key, null(), &mut out),
                };
                out.id
            }
            27 => {
                let bytes = world.bytes(input);
                let stream = SandiStream { id };
                let _ = sandi_stream_update(stream, bytes.as_ptr(), bytes.len(), &mut buffer);
                0
            }
            28 => {
                let stream = SandiStream { id };
                let _ = sandi_stream_drain(stream, &mut buffer, &mut number);
                world.keep(core::mem::replace(&mut buffer, NO_BUFFER));
                let mut report = core::mem::MaybeUninit::<SandiStreamReport>::uninit();
                let status = sandi_stream_finish(stream, &mut buffer, report.as_mut_ptr());
                if status == SandiStatus::Ok {
                    world.keep(report.assume_init().index);
                }
                0
            }
            29 => {
                let roots = world.bytes(input);
                let mut out = SandiTrust { id: 1 };
                let _ = sandi_trust_roots(roots.as_ptr(), roots.len(), &mut out);
                out.id
            }
            30 => {
                let (bytes, trust) = (world.bytes(input), SandiTrust { id: world.id(input) });
                let mut opened = core::mem::MaybeUninit::<SandiOpened>::uninit();
                let status = sandi_device_open_sealed(
                    device, bytes.as_ptr(), bytes.len(), trust, null(), 0, NOW, opened.as_mut_ptr(),
                );
                if status == SandiStatus::Ok {
                    assert_eq!(sandi_opened_free(opened.as_mut_ptr()), SandiStatus::Ok);
                }
                0
            }
            31 => {
                let mut event = core::mem::MaybeUninit::<SandiEvent>::uninit();
                if sandi_device_next_event(device, event.as_mut_ptr(), null_mut()) == SandiStatus::Ok {
                    let event = event.assume_init();
                    world.keep(event.name);
                    let to = address(input);
                    let _ = sandi_device_accept_identity(
                        device, &to, event.new_key.as_ptr(), 33, NOW,
                    );
                }
                0
            }
            // Frees a handle as one kind.
            32 => {
                let statuses = [
                    sandi_store_free(SandiStore { id }),
                    sandi_device_free(SandiDevice { id }),
                    sandi_received_free(SandiReceived { id }),
                    sandi_upload_free(SandiUpload { id }),
                    sandi_group_sent_free(SandiGroupSent { id }),
                    sandi_trust_free(SandiTrust { id }),
                    sandi_stream_free(SandiStream { id }),
                ];
                // It is of one kind at most, and gone now.
                let freed = statuses.iter().filter(|status| **status == SandiStatus::Ok).count();
                assert!(freed <= 1 || id == 0, "{id:#x}");
                assert!(id == 0 || sandi_device_free(device) != SandiStatus::Ok);
                0
            }
            _ => {
                if let Some(mut buffer) = world.buffers.pop() {
                    world.freed.push(buffer);
                    assert_eq!(sandi_buffer_free(&mut buffer), SandiStatus::Ok);
                }
                if let Some(buffer) = world.freed.last() {
                    assert_eq!(sandi_buffer_free(&mut { *buffer }), SandiStatus::StaleHandle);
                }
                0
            }
        }
    };
    world.keep(buffer);
    if made != 0 {
        world.ids.push(made);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut world =
        World { ids: Vec::new(), buffers: Vec::new(), freed: Vec::new(), bytes: Vec::new() };
    let mut steps = 0;
    while !input.0.is_empty() && steps < 200 {
        step(&mut world, &mut input);
        steps += 1;
    }
    for id in world.ids {
        unsafe {
            let _ = sandi_received_free(SandiReceived { id });
            let _ = sandi_device_free(SandiDevice { id });
            let _ = sandi_store_free(SandiStore { id });
            let _ = sandi_upload_free(SandiUpload { id });
            let _ = sandi_group_sent_free(SandiGroupSent { id });
            let _ = sandi_trust_free(SandiTrust { id });
            let _ = sandi_stream_free(SandiStream { id });
        }
    }
    for mut buffer in world.buffers {
        assert_eq!(unsafe { sandi_buffer_free(&mut buffer) }, SandiStatus::Ok);
    }
});
