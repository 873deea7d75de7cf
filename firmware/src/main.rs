//! Two devices on one microcontroller: pre-keys, a session, messages in turn, over a store in memory. Prints
//! what it took, and says so if a message does not arrive.
#![no_std]
#![no_main]

extern crate alloc;

mod memory;

use core::convert::Infallible;
use core::panic::PanicInfo;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hprintln;
use rand_core::{TryCryptoRng, TryRng};
use sandi::device::NewDevice;
use sandi::keys::IdentityKeyPair;
use sandi::protocol::{IdentityScope, Options, PreKeyPlan, ServerStock};
use sandi::{Address, Device, DeviceId, MemoryStore, Policy, Timestamp};

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// **Not random**: a stand-in for the board's generator, so that every run takes the same path.
struct Board(u64);

impl TryRng for Board {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Ok(z ^ (z >> 31))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for chunk in to.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Board {}

fn device(name: &str, policy: Policy, rng: &mut Board) -> Device<MemoryStore> {
    let new = NewDevice {
        address: Address::new(name, DeviceId::new(1).unwrap()),
        identity: IdentityKeyPair::generate(rng),
        registration_id: 7,
        scope: IdentityScope::Account,
    };
    let pre_keys =
        PreKeyPlan { one_time: 2, one_time_kem: 1, refill_below: 1, ..PreKeyPlan::default() };
    let options = Options { dialects: policy, pre_keys, ..Options::default() };
    Device::create(MemoryStore::new(), new, options, rng).unwrap()
}

fn converse(name: &str, policy: Policy, turns: u32, rng: &mut Board) {
    let (mut alice, mut bob) = (device("alice", policy, rng), device("bob", policy, rng));
    let (a, b) = (alice.address().clone(), bob.address().clone());
    let upload = bob.replenish(ServerStock::default(), NOW, rng).unwrap();
    bob.confirm_upload(&upload, NOW, rng).unwrap();
    let bundle = upload.bundle(b.device(), 0).unwrap();
    drop(upload);
    let (peak, used) = memory::heap();
    hprintln!("{}: two devices, pre-keys: heap {} B, peak {} B", name, used, peak);
    alice.start_session(&b, &bundle, NOW, rng).unwrap();
    for turn in 0..turns {
        let text = turn.to_be_bytes();
        let message = alice.encrypt(&b, &text, NOW, rng).unwrap();
        let received = bob.decrypt(&a, message.message_type, &message.bytes, NOW, rng).unwrap();
        assert_eq!(received.plaintext(), text);
        received.commit().unwrap();
        let answer = bob.encrypt(&a, &text, NOW, rng).unwrap();
        let received = alice.decrypt(&b, answer.message_type, &answer.bytes, NOW, rng).unwrap();
        assert_eq!(received.plaintext(), text);
        received.commit().unwrap();
    }
    let (peak, used) = memory::heap();
    let stack = memory::stack();
    hprintln!(
        "{}: {} messages each way: heap {} B, peak {} B, stack {} B",
        name,
        turns,
        used,
        peak,
        stack
    );
}

#[entry]
fn main() -> ! {
    memory::init();
    let mut rng = Board(1);
    converse("version 3", Policy::V3, 10, &mut rng);
    #[cfg(not(feature = "v3-only"))]
    converse("version 4", Policy::V4, 10, &mut rng);
    hprintln!("every message arrived");
    exit(EXIT_SUCCESS);
    loop {}
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(EXIT_FAILURE);
    loop {}
}
