//! The post-quantum ratchet beside its stored twins: a party that goes through the compact encoding
//! after every call, and one that goes through the official one, send the same bytes and give the
//! same keys for ever (spec 10 §14, 19). Besides, small limits, and an open version.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use sandi::Secret;
use sandi::spqr::{Direction, Limits, Spqr, SpqrError, Version};

/// The most that a state without skipped keys takes in the official encoding (spec 10 §13 saw 8 470).
const OFFICIAL_BOUND: usize = 9_000;
/// The same in the compact encoding.
const COMPACT_BOUND: usize = 2_700;
/// Bytes of one skipped key.
const SKIPPED: usize = 36;
/// Chain sets hold at most three epochs.
const LINKS: usize = 3;

/// One party, kept three ways that must not differ: in memory, and stored after every call in either
/// encoding.
struct Party {
    live: Spqr,
    compact: Spqr,
    official: Spqr,
    calls: u32,
}

/// A message underway.
#[derive(Clone)]
struct Underway {
    bytes: Vec<u8>,
    key: Option<Secret32>,
    epoch: u64,
    delivered: bool,
}

/// A key that can be kept in a list.
type Secret32 = [u8; 32];

impl Party {
    fn new(direction: Direction, min_version: Version, limits: Limits) -> Self {
        let new = || Spqr::new(direction, min_version, &Secret::new([0x42; 32]), limits);
        Self { live: new(), compact: new(), official: new(), calls: 0 }
    }

    fn send(&mut self, rng: &mut StdRng) -> Underway {
        let epoch = self.live.epoch();
        let seed: [u8; 32] = rng.random();
        let sent = self.live.send(&mut StdRng::from_seed(seed)).unwrap();
        for twin in [&mut self.compact, &mut self.official] {
            let same = twin.send(&mut StdRng::from_seed(seed)).unwrap();
            assert_eq!(same.message(), sent.message());
            assert_eq!(same.key(), sent.key());
        }
        self.store();
        let key = sent.key().map(|key| *key.expose());
        Underway { bytes: sent.message().to_vec(), key, epoch, delivered: false }
    }

    fn receive(&mut self, message: &[u8]) -> Result<Option<Secret32>, SpqrError> {
        let before = self.live.encode_compact();
        let result = self.live.receive(message).map(|key| key.map(|key| *key.expose()));
        for twin in [&mut self.compact, &mut self.official] {
            assert_eq!(twin.receive(message).map(|key| key.map(|key| *key.expose())), result);
        }
        if result.is_err() {
            assert_eq!(self.live.encode_compact(), before, "an error changes nothing");
        }
        self.store();
        result
    }

    /// Stores and loads the twins; all three are the same state, and export ∘ import is the identity.
    /// The official encoding is the slow one, and has its turn after every ninth call.
    fn store(&mut self) {
        let compact = self.live.encode_compact();
        assert_eq!(self.compact.encode_compact(), compact);
        self.compact = Spqr::decode_compact(&compact).unwrap();
        self.calls += 1;
        if self.calls % 9 == 1 {
            let official = self.live.export_official();
            assert!(official.len() <= OFFICIAL_BOUND + SKIPPED * self.live.skipped_keys());
            assert_eq!(self.official.export_official(), official);
            assert_eq!(self.compact.export_official(), official);
            self.official = Spqr::import_official(&official).unwrap();
            assert_eq!(self.official.export_official(), official);
        }
    }

    fn check_memory(&self, limits: &Limits) {
        let kept = limits.max_out_of_order() as usize;
        let per_link = (kept * 11 / 10).max(kept + 1);
        let skipped = self.live.skipped_keys();
        assert!(skipped <= LINKS * per_link, "{skipped} skipped keys");
        assert!(self.live.encode_compact().len() <= COMPACT_BOUND + SKIPPED * skipped);
    }
}

/// How a schedule treats messages.
#[derive(Clone, Copy, Debug)]
struct Network {
    /// Per cent of steps in which Alice sends, rather than Bob.
    alice: u8,
    /// Per cent of messages lost.
    loss: u8,
    /// How many messages may be underway before one must arrive.
    lag: usize,
    /// Per cent of deliveries out of order.
    reorder: u8,
    /// Per cent of deliveries that are repeated at once.
    duplicate: u8,
}

fn networks() -> impl Strategy<Value = Network> {
    (20_u8..=80, 0_u8..=50, 0_usize..40, 0_u8..=60, 0_u8..=20).prop_map(
        |(alice, loss, lag, reorder, duplicate)| Network { alice, loss, lag, reorder, duplicate },
    )
}

/// Runs `steps` sends with the deliveries that the network makes of them, and checks everything.
fn run(
    seed: u64,
    network: Network,
    steps: usize,
    limits: Limits,
    lowest: [Version; 2],
) -> [Party; 2] {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut parties = [
        Party::new(Direction::A2B, lowest[0], limits),
        Party::new(Direction::B2A, lowest[1], limits),
    ];
    let mut underway: [Vec<Underway>; 2] = [Vec::new(), Vec::new()];
    let percent = |rng: &mut StdRng, chance: u8| rng.random_range(0..100_u8) < chance;
    for _ in 0..steps {
        let sender = usize::from(!percent(&mut rng, network.alice));
        let receiver = 1 - sender;
        let message = parties[sender].send(&mut rng);
        if !percent(&mut rng, network.loss) {
            underway[sender].push(message);
        }
        while underway[sender].len() > network.lag {
            let late = percent(&mut rng, network.reorder);
            let place = if late { rng.random_range(0..underway[sender].len()) } else { 0 };
            let mut message = underway[sender].remove(place);
            deliver(&mut parties[receiver], &mut message);
            if percent(&mut rng, network.duplicate) {
                deliver(&mut parties[receiver], &mut message);
            }
        }
        parties[0].check_memory(&limits);
        parties[1].check_memory(&limits);
    }
    parties
}

/// The key is the sender's, or the error is one that the schedule explains.
fn deliver(receiver: &mut Party, message: &mut Underway) {
    match receiver.receive(&message.bytes) {
        Ok(key) => {
            assert_eq!(key, message.key);
            assert!(!message.delivered || key.is_none(), "a key is given once");
            message.delivered = true;
        }
        Err(SpqrError::KeyAlreadyRequested(_)) => assert!(message.delivered),
        // Only a message of an old epoch comes too late for its chain.
        Err(SpqrError::EpochOutOfRange(key_epoch)) => {
            assert_eq!(key_epoch, message.epoch - 1);
            assert!(message.epoch < receiver.live.epoch());
        }
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s10_19_keys_agree_under_any_schedule(seed: u64, network in networks()) {
        run(seed, network, 400, Limits::default(), [Version::V1; 2]);
    }

    #[test]
    fn s10_19_keys_agree_while_the_version_is_open(
        seed: u64,
        network in networks(),
        open in prop::array::uniform2(any::<bool>()),
    ) {
        let lowest = open.map(|open| if open { Version::V0 } else { Version::V1 });
        run(seed, network, 60, Limits::default(), lowest);
    }

    #[test]
    fn s10_19_small_limits_bound_the_store(
        seed: u64,
        max_jump in 1_u32..50,
        max_out_of_order in 1_u32..12,
        loss in 0_u8..90,
    ) {
        let limits = Limits::new(max_jump, max_out_of_order);
        let mut rng = StdRng::seed_from_u64(seed);
        let mut alice = Party::new(Direction::A2B, Version::V1, limits);
        let mut bob = Party::new(Direction::B2A, Version::V1, limits);
        let mut late: Vec<Underway> = Vec::new();
        let mut counter = 0_u32;
        for index in 1..=200_u32 {
            let mut message = alice.send(&mut rng);
            if rng.random_range(0..100_u8) < loss {
                late.push(message);
            } else if index - counter > max_jump {
                let refused = bob.receive(&message.bytes);
                prop_assert_eq!(refused, Err(SpqrError::KeyJump { counter, index }));
            } else {
                deliver(&mut bob, &mut message);
                counter = index;
            }
            bob.check_memory(&limits);
        }
        // What is late is there, or was trimmed.
        for message in &late {
            match bob.receive(&message.bytes) {
                Ok(key) => prop_assert_eq!(key, message.key),
                Err(SpqrError::KeyTrimmed(index)) => {
                    prop_assert!(index + max_out_of_order < counter);
                }
                Err(SpqrError::KeyAlreadyRequested(index)) => {
                    // Dropped by a jump over the whole store, or by the collection.
                    prop_assert!(index <= counter);
                }
                Err(SpqrError::KeyJump { counter: at, index }) => prop_assert!(index - at > max_jump),
                Err(error) => prop_assert!(false, "{error}"),
            }
            bob.check_memory(&limits);
        }
    }

    #[test]
    fn s10_16_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0_u8..3) {
        let mut message = bytes.clone();
        message.insert(0, version);
        let party = Spqr::new(Direction::B2A, Version::V1, &Secret::new([1; 32]), Limits::default());
        let _ = party.prepare_receive(&message);
        let _ = Spqr::import_official(&bytes);
        let _ = Spqr::decode_compact(&bytes);
        let _ = Spqr::decode_compact(&message);
    }
}

#[test]
fn s10_19_epochs_advance_under_every_fair_schedule() {
    for (loss, lag) in [(0, 0), (30, 0), (50, 0), (20, 15)] {
        let network = Network { alice: 50, loss, lag, reorder: 30, duplicate: 5 };
        let parties = run(7, network, 1_200, Limits::default(), [Version::V1; 2]);
        for party in &parties {
            assert!(party.live.epoch() >= 3, "{network:?}: epoch {}", party.live.epoch());
        }
        let [alice, bob] = parties.map(|party| party.live.epoch());
        assert!(alice.abs_diff(bob) <= 1);
    }
}

#[test]
fn random_bytes_are_drawn_in_one_request() {
    /// Counts requests.
    struct Requests(StdRng, Vec<usize>);
    impl rand_core::TryRng for Requests {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            panic!("bytes only")
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            panic!("bytes only")
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            self.1.push(out.len());
            self.0.fill_bytes(out);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Requests {}

    let new =
        |direction| Spqr::new(direction, Version::V1, &Secret::new([3; 32]), Limits::default());
    let (mut alice, mut bob) = (new(Direction::A2B), new(Direction::B2A));
    for _ in 0..100 {
        for turn in [0, 1] {
            let (sender, receiver) =
                if turn == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
            let expected: &[usize] = match sender.state_name() {
                "KeysUnsampled" => &[64],
                "HeaderReceived" => &[32],
                _ => &[],
            };
            let mut rng = Requests(StdRng::seed_from_u64(5), Vec::new());
            let sent = sender.send(&mut rng).unwrap();
            assert_eq!(rng.1, expected);
            receiver.receive(sent.message()).unwrap();
        }
    }
}
