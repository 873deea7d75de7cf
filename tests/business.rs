//! Who can read a chat: every signal, and what a device does about it (spec 22 §5).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects, missing_docs, unreachable_pub)]

#[allow(dead_code)]
#[path = "device/support.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sandi::business::{
    ActualActors, Assessment, EncryptionStatus, Evidence, HostStorage, IdentityInfo, Notice,
    Signal, StatusChange, hosting_name, is_hosted,
};
use sandi::device::DeviceError;
use sandi::group::Distribution;
use sandi::linking::EncryptionType;
use sandi::protocol::{
    Encrypt, HostedPolicy, Loaded, Operation, Options, Own, Recipient, SendToGroup, SentToGroup,
};
use sandi::sesame::{ListedDevice, Sent};
use sandi::store::{Expected, Write};
use sandi::{
    Address, Changes, CommitError, Device, Disposition, Error, MemoryStore, Policy, Record,
    RecordKey, Store, Timestamp,
};
use support::*;

use EncryptionStatus::{EndToEnd, HostedByMeta, HostedByThirdParty, HostedUnknown};

const SHOP: &str = "12025550111";
const CUSTOMER: &str = "12025550222";

fn profile(
    host_storage: Option<HostStorage>,
    actual_actors: Option<ActualActors>,
    time: u64,
) -> IdentityInfo<'static> {
    IdentityInfo { host_storage, actual_actors, privacy_mode_time: time, ..IdentityInfo::default() }
}

fn said(status: EncryptionStatus, time: u64) -> Signal {
    let (host, actors) = match status {
        EndToEnd => (HostStorage::OnPremise, ActualActors::Itself),
        HostedByThirdParty => (HostStorage::OnPremise, ActualActors::ThirdParty),
        HostedByMeta => (HostStorage::Meta, ActualActors::ThirdParty),
        HostedUnknown => (HostStorage::Other(7), ActualActors::Itself),
    };
    Signal::profile(&profile(Some(host), Some(actors), time)).unwrap()
}

fn assess(signals: impl IntoIterator<Item = Signal>) -> Assessment {
    let mut evidence = Evidence::default();
    signals.into_iter().for_each(|signal| evidence.add(signal));
    evidence.assess()
}

// ---- signals ----------------------------------------------------------------------------------

/// What each source can say: the signal, and by hand who can read by it.
fn sources() -> Vec<Vec<Option<(Signal, EncryptionStatus)>>> {
    let (own, hosted) = (address(SHOP, 1), address(SHOP, 99));
    let some = |signal, status| Some((signal, status));
    use EncryptionType as Type;
    vec![
        vec![
            None,
            some(Signal::addresses([&own], NOW), EndToEnd),
            some(Signal::addresses([&own, &hosted], NOW), HostedUnknown),
        ],
        vec![
            None,
            some(Signal::device_types([Type::E2ee, Type::E2ee], NOW), EndToEnd),
            some(Signal::device_types([Type::E2ee, Type::Hosted], NOW), HostedUnknown),
        ],
        vec![
            None,
            some(Signal::account_type(Type::E2ee, 5), EndToEnd),
            some(Signal::account_type(Type::Hosted, 5), HostedUnknown),
            some(Signal::account_type(Type::NonE2ee, 5), HostedUnknown),
        ],
        vec![
            None,
            some(Signal::message(Type::E2ee, 5), EndToEnd),
            some(Signal::message(Type::from_value(1), 5), HostedUnknown),
        ],
        vec![
            None,
            some(Signal::scan(false, NOW), EndToEnd),
            some(Signal::scan(true, NOW), HostedUnknown),
        ],
        vec![None, some(Signal::group_message(true).unwrap(), HostedByMeta)],
        vec![
            None,
            some(said(EndToEnd, 5), EndToEnd),
            some(said(HostedUnknown, 5), HostedUnknown),
            some(said(HostedByThirdParty, 5), HostedByThirdParty),
            some(said(HostedByMeta, 5), HostedByMeta),
        ],
        vec![None, some(Signal::group_record(true).unwrap(), HostedByMeta)],
    ]
}

/// How many of the sources are bound; the others are asserted.
const BOUND: usize = 6;

#[test]
fn every_combination_of_signals_gives_the_worst_of_them() {
    let sources = sources();
    let combinations: usize = sources.iter().map(Vec::len).product();
    assert_eq!(combinations, 3 * 3 * 4 * 3 * 3 * 2 * 5 * 2);
    // The table, in words: named by anyone Meta; else named by anyone a third party; else hosted by
    // anyone; else end-to-end encrypted.
    let worst = |said: &[EncryptionStatus]| {
        let table = [HostedByMeta, HostedByThirdParty, HostedUnknown];
        table.into_iter().find(|status| said.contains(status)).unwrap_or(EndToEnd)
    };
    for mut combination in 0..combinations {
        let chosen: Vec<_> = sources
            .iter()
            .map(|choices| {
                let choice = choices[combination % choices.len()];
                combination /= choices.len();
                choice
            })
            .collect();
        let said = |choices: &[Option<(Signal, EncryptionStatus)>]| -> Vec<EncryptionStatus> {
            choices.iter().flatten().map(|(_, status)| *status).collect()
        };
        let (bound, asserted) = (said(&chosen[..BOUND]), said(&chosen[BOUND..]));
        let part = |said: &[EncryptionStatus]| (!said.is_empty()).then(|| worst(said));
        let expected = Assessment {
            status: worst(&said(&chosen)),
            bound: part(&bound),
            asserted: part(&asserted),
        };
        let signals: Vec<_> = chosen.iter().flatten().map(|(signal, _)| *signal).collect();
        assert_eq!(signals.iter().filter(|signal| signal.is_bound()).count(), bound.len());
        assert_eq!(assess(signals.iter().copied()), expected, "{signals:?}");
        assert_eq!(assess(signals.iter().rev().copied()), expected, "{signals:?}");
        // An asserted end-to-end encryption never overrides a bound hosting.
        if bound.iter().any(|status| status.is_hosted()) {
            assert!(expected.status.is_hosted() && assess(signals).is_proven_hosted());
        }
    }
}

#[test]
fn the_profile_is_reduced_as_the_specification_says() {
    use ActualActors::{Itself, Other as OtherActors, ThirdParty};
    use HostStorage::{Meta, OnPremise, Other as OtherHost};
    for (host, actors, status) in [
        (Some(OnPremise), Some(Itself), Some(EndToEnd)),
        (Some(OnPremise), None, Some(EndToEnd)),
        (None, Some(Itself), Some(EndToEnd)),
        (Some(OnPremise), Some(ThirdParty), Some(HostedByThirdParty)),
        (None, Some(ThirdParty), Some(HostedByThirdParty)),
        (Some(Meta), Some(Itself), Some(HostedByMeta)),
        (Some(Meta), Some(ThirdParty), Some(HostedByMeta)),
        (Some(Meta), None, Some(HostedByMeta)),
        (Some(Meta), Some(OtherActors(2)), Some(HostedByMeta)),
        (Some(OtherHost(2)), Some(Itself), Some(HostedUnknown)),
        (Some(OtherHost(2)), Some(ThirdParty), Some(HostedUnknown)),
        (Some(OnPremise), Some(OtherActors(2)), Some(HostedUnknown)),
        (None, None, None),
    ] {
        let signal = Signal::profile(&profile(host, actors, 9));
        assert_eq!(signal.map(|signal| signal.claim().status), status, "{host:?} {actors:?}");
        assert!(signal.is_none_or(|signal| !signal.is_bound() && signal.claim().at == 9));
    }
}

#[test]
fn an_older_claim_never_replaces_a_newer_one_and_of_one_moment_the_worse_holds() {
    for (first, second, status) in [
        (said(HostedByMeta, 10), said(EndToEnd, 9), HostedByMeta),
        (said(EndToEnd, 10), said(HostedByMeta, 9), EndToEnd),
        (said(HostedByMeta, 9), said(EndToEnd, 10), EndToEnd),
        (said(EndToEnd, 10), said(HostedByThirdParty, 10), HostedByThirdParty),
        (said(HostedByThirdParty, 10), said(EndToEnd, 10), HostedByThirdParty),
        (
            Signal::account_type(EncryptionType::Hosted, 100),
            Signal::account_type(EncryptionType::E2ee, 99),
            HostedUnknown,
        ),
        (
            Signal::account_type(EncryptionType::Hosted, 100),
            Signal::account_type(EncryptionType::E2ee, 101),
            EndToEnd,
        ),
        // Without a timestamp, a message takes nothing back.
        (
            Signal::message(EncryptionType::Hosted, 0),
            Signal::message(EncryptionType::E2ee, 0),
            HostedUnknown,
        ),
    ] {
        assert_eq!(assess([first, second]).status, status, "{first:?}, {second:?}");
    }
}

#[test]
fn claims_may_come_in_any_order_and_more_than_once() {
    let signals = [
        said(HostedByMeta, 1),
        said(EndToEnd, 2),
        said(HostedByThirdParty, 2),
        Signal::account_type(EncryptionType::Hosted, 7),
        Signal::account_type(EncryptionType::E2ee, 8),
        Signal::scan(true, NOW),
    ];
    let expected = assess(signals);
    assert_eq!(expected.status, HostedByThirdParty);
    let mut orders = vec![Vec::new()];
    for signal in signals {
        let placed = orders.iter().flat_map(|order: &Vec<Signal>| {
            (0..=order.len()).map(|at| {
                let mut order = order.clone();
                order.insert(at, signal);
                order
            })
        });
        orders = placed.collect();
    }
    assert_eq!(orders.len(), 720);
    for order in orders {
        assert_eq!(assess(order.iter().chain(&order).copied()), expected);
    }
}

#[test]
fn hosted_addresses_and_the_names_of_their_users() {
    for (name, device, hosted, user) in [
        ("1202", 0, false, "1202"),
        ("1202", 98, false, "1202"),
        ("1202", 99, true, "1202"),
        ("1202_1", 3, false, "1202_1"),
        ("1202_1", 99, true, "1202_1"),
        ("1202_128", 99, true, "1202"),
        ("1202_128", 4, true, "1202"),
        ("1202_129", 99, true, "1202_1"),
        ("1202_129", 0, true, "1202_1"),
    ] {
        let address = Address::new(name, sandi::DeviceId::new_v3(device).unwrap());
        assert_eq!(is_hosted(&address), hosted, "{address}");
        assert_eq!(hosting_name(&address), user, "{address}");
        let jid = sandi::Jid::from_address(&address).unwrap();
        assert_eq!(jid.is_hosted(), hosted, "as the Jid says, {address}");
        assert_eq!(Signal::address(&address, NOW).is_some(), hosted);
    }
}

#[test]
fn changes_are_named_by_the_system_messages_of_the_family() {
    let assessment = Assessment::default();
    let change = |from, to, group| StatusChange { name: "x".into(), from, to, assessment, group };
    for (from, to, notice, number) in [
        (None, HostedByMeta, Notice::StartsHostedByMeta, 126),
        (None, HostedByThirdParty, Notice::StartsHostedByThirdParty, 127),
        (Some(EndToEnd), HostedByMeta, Notice::ChangedToMeta, 128),
        (Some(HostedByThirdParty), HostedByMeta, Notice::ChangedToMeta, 128),
        (Some(HostedUnknown), HostedByThirdParty, Notice::ChangedToThirdParty, 129),
        (Some(HostedByMeta), HostedByThirdParty, Notice::ChangedToThirdParty, 129),
        (Some(HostedByMeta), EndToEnd, Notice::NowEncrypted, 75),
        (Some(HostedUnknown), EndToEnd, Notice::NowEncrypted, 75),
    ] {
        assert_eq!(change(from, to, false).notice(), Some(notice));
        assert_eq!(notice.number(), number);
    }
    assert_eq!(change(Some(EndToEnd), HostedUnknown, false).notice(), None);
    assert_eq!(change(None, HostedByMeta, true).notice(), Some(Notice::HostedGroup));
    assert_eq!(Notice::HostedGroup.number(), 209);
}

// ---- a device ---------------------------------------------------------------------------------

fn asking(party: &mut Party) {
    let options = Options { hosted: HostedPolicy::RequireConsent, ..*party.device.options() };
    party.device.set_options(options);
}

/// A customer that asks for consent and a shop, after one message each way.
fn customer_and_shop() -> (Party, Party) {
    let (mut customer, mut shop) = (party(CUSTOMER, 1, Policy::V3), party(SHOP, 1, Policy::V3));
    asking(&mut customer);
    customer.start(&mut shop);
    let hello = customer.write(&shop.address(), "hello");
    assert_eq!(shop.read(&customer.address(), &hello), "hello");
    let reply = shop.write(&customer.address(), "reply");
    assert_eq!(customer.read(&shop.address(), &reply), "reply");
    (customer, shop)
}

/// The shop's hosted device, with the identity of the account.
fn cloud() -> Party {
    let identity = sandi::keys::IdentityKeyPair::generate(&mut seeded(SHOP, 1));
    party_of(SHOP, 99, Policy::V3, identity)
}

fn learn(party: &mut Party, signals: &[Signal]) -> Vec<StatusChange> {
    party.device.learn_hosting(&[SHOP], signals, NOW, &mut party.rng).unwrap()
}

fn consent(party: &mut Party, name: &str, status: EncryptionStatus) -> Result<(), Error> {
    let done = party.device.consent_to_hosting(name, status, NOW, &mut party.rng);
    done.map_err(|error| error.protocol().unwrap())
}

fn refusal(party: &mut Party, to: &Address) -> Option<Error> {
    party.try_write(to, "text").err().map(|error| error.protocol().unwrap())
}

fn contents(store: &Memory) -> Vec<(RecordKey, u64, Vec<u8>)> {
    let store = store.borrow();
    let records = store.iter();
    records.map(|(key, r)| (key.clone(), r.revision(), r.bytes().to_vec())).collect()
}

#[test]
fn the_next_message_to_a_hosted_endpoint_waits_for_consent() {
    let (mut customer, mut shop) = customer_and_shop();
    let to = shop.address();
    assert_eq!(refusal(&mut customer, &to), None);

    // Nothing is known; then that the business runs its endpoint itself: no event, no question.
    assert_eq!(learn(&mut customer, &[said(EndToEnd, 10)]), []);
    assert_eq!(refusal(&mut customer, &to), None);
    // The same again.
    assert_eq!(learn(&mut customer, &[said(EndToEnd, 10)]), []);

    // It moves to a provider: an event, and the next message is refused and spends nothing.
    let events = learn(&mut customer, &[said(HostedByThirdParty, 11)]);
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((&*event.name, event.from, event.to), (SHOP, Some(EndToEnd), HostedByThirdParty));
    assert_eq!(event.notice(), Some(Notice::ChangedToThirdParty));
    assert_eq!(event.assessment.bound, None);
    assert!(!event.assessment.is_proven_hosted());
    let before = contents(customer.device.store());
    assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
    assert_eq!(Error::ConsentRequired.disposition(), Disposition::AskUser);
    assert_eq!(contents(customer.device.store()), before, "a refusal changes nothing");
    customer.restart();
    assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired), "after a restart, too");

    // Consent is to exactly what the user has seen.
    for status in [HostedByMeta, HostedUnknown] {
        assert_eq!(consent(&mut customer, SHOP, status), Err(Error::ConsentRequired));
    }
    assert_eq!(consent(&mut customer, SHOP, EndToEnd), Err(Error::InvalidArgument));
    assert_eq!(contents(customer.device.store()), before);
    assert_eq!(consent(&mut customer, SHOP, HostedByThirdParty), Ok(()));
    let known = customer.device.encryption_status(SHOP).unwrap();
    assert_eq!((known.status(), known.consent()), (HostedByThirdParty, Some(HostedByThirdParty)));
    let message = customer.write(&to, "all right");
    assert_eq!(shop.read(&customer.address(), &message), "all right");
    customer.restart();
    assert_eq!(refusal(&mut customer, &to), None, "the consent is durable");
    // Again consenting changes nothing, and neither does the same signal.
    let before = contents(customer.device.store());
    assert_eq!(consent(&mut customer, SHOP, HostedByThirdParty), Ok(()));
    assert_eq!(learn(&mut customer, &[said(HostedByThirdParty, 11)]), []);
    assert_eq!(contents(customer.device.store()), before);

    // To another host: asked again. Back to the first one: asked again.
    assert_eq!(learn(&mut customer, &[said(HostedByMeta, 12)])[0].to, HostedByMeta);
    assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
    assert_eq!(learn(&mut customer, &[said(HostedByThirdParty, 13)])[0].to, HostedByThirdParty);
    assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
    assert_eq!(consent(&mut customer, SHOP, HostedByThirdParty), Ok(()));
    assert_eq!(refusal(&mut customer, &to), None);

    // Back to end-to-end encryption: an event, no question.
    let events = learn(&mut customer, &[said(EndToEnd, 14)]);
    assert_eq!(events[0].notice(), Some(Notice::NowEncrypted));
    assert_eq!(refusal(&mut customer, &to), None);
    // And hosted once more: the old consent has ended.
    learn(&mut customer, &[said(HostedByThirdParty, 15)]);
    assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
}

#[test]
fn consent_to_what_a_server_says_does_not_reach_what_is_proven_later() {
    let (mut customer, shop) = customer_and_shop();
    let to = shop.address();
    learn(&mut customer, &[said(HostedByThirdParty, 1)]);
    consent(&mut customer, SHOP, HostedByThirdParty).unwrap();
    // Proven by a signature: the same status, now bound. The user has agreed to it.
    assert_eq!(learn(&mut customer, &[Signal::account_type(EncryptionType::Hosted, 1)]), []);
    assert_eq!(refusal(&mut customer, &to), None);
    // The server says that it is over; the signature says that it is not.
    let events = learn(&mut customer, &[said(EndToEnd, 2)]);
    assert_eq!((events[0].from, events[0].to), (Some(HostedByThirdParty), HostedUnknown));
    assert_eq!(events[0].assessment.asserted, Some(EndToEnd));
    assert!(events[0].assessment.is_proven_hosted());
    assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
}

#[test]
fn an_address_alone_asks_for_consent() {
    for (name, device) in [(SHOP, 99), ("12025550111_128", 99), ("12025550111_129", 99)] {
        let mut customer = party(CUSTOMER, 1, Policy::V3);
        let mut cloud = party(name, device, Policy::V3);
        asking(&mut customer);
        let to = cloud.address();
        // Before there is a session, already: no bundle is fetched in vain.
        assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
        customer.start(&mut cloud);
        assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
        let user = hosting_name(&to);
        for status in [HostedByMeta, HostedByThirdParty] {
            assert_eq!(consent(&mut customer, &user, status), Err(Error::ConsentRequired));
        }
        assert_eq!(consent(&mut customer, &user, HostedUnknown), Ok(()));
        let message = customer.write(&to, "hello");
        assert_eq!(cloud.read(&customer.address(), &message), "hello");
        // What says otherwise, or no more, changes nothing about that.
        let asserted = [said(EndToEnd, 5)];
        let events = customer.device.learn_hosting(&[&user], &asserted, NOW, &mut customer.rng);
        assert_eq!(events.unwrap(), []);
        assert_eq!(refusal(&mut customer, &to), None);
        let list = [Signal::address(&to, NOW).unwrap()];
        let events = customer.device.learn_hosting(&[&user], &list, NOW, &mut customer.rng);
        assert_eq!(events.unwrap()[0].to, HostedUnknown);
        assert_eq!(refusal(&mut customer, &to), None, "agreed to already");
        // A name for the host is another status.
        let named = [said(HostedByMeta, 6)];
        let events = customer.device.learn_hosting(&[&user], &named, NOW, &mut customer.rng);
        assert_eq!(events.unwrap()[0].to, HostedByMeta);
        assert_eq!(refusal(&mut customer, &to), Some(Error::ConsentRequired));
    }
}

#[test]
fn informing_refuses_nothing_and_loads_nothing() {
    let loads = Rc::new(Cell::new(0));
    let store = Watched { loads: loads.clone(), ..Watched::default() };
    let identity = sandi::keys::IdentityKeyPair::generate(&mut seeded(CUSTOMER, 1));
    let mut customer = party_over(store, CUSTOMER, 1, Policy::V3, identity);
    let mut shop = party(SHOP, 99, Policy::V3);
    customer.start(&mut shop);
    let to = shop.address();
    let signals = [said(HostedByMeta, 1), Signal::address(&to, NOW).unwrap()];
    let events = customer.device.learn_hosting(&[SHOP], &signals, NOW, &mut customer.rng).unwrap();
    assert_eq!(events[0].notice(), Some(Notice::StartsHostedByMeta));
    loads.set(0);
    let message = customer.write(&to, "hello");
    assert_eq!(loads.get(), 0);
    assert_eq!(shop.read(&customer.address(), &message), "hello");
    // Asking costs one record for each user, however many devices it has.
    let options = Options { hosted: HostedPolicy::RequireConsent, ..*customer.device.options() };
    customer.device.set_options(options);
    consent_over(&mut customer, SHOP, HostedByMeta);
    loads.set(0);
    customer.write(&to, "again");
    assert_eq!(loads.get(), 1);
}

fn consent_over(party: &mut Party<Watched>, name: &str, status: EncryptionStatus) {
    party.device.consent_to_hosting(name, status, NOW, &mut party.rng).unwrap();
}

type Happening = Box<dyn FnOnce()>;

/// Counts loads of status records; and something may happen just before a commit.
#[derive(Default)]
struct Watched {
    inner: Memory,
    loads: Rc<Cell<u32>>,
    before_commit: Rc<RefCell<Option<Happening>>>,
}

impl Store for Watched {
    type Error = std::convert::Infallible;

    fn load(&self, key: &RecordKey) -> Result<Option<Record>, Self::Error> {
        if matches!(key, RecordKey::EncryptionStatus(_)) {
            self.loads.set(self.loads.get() + 1);
        }
        self.inner.load(key)
    }

    fn commit(&mut self, changes: &Changes) -> Result<(), CommitError<Self::Error>> {
        let happening = self.before_commit.borrow_mut().take();
        if let Some(happening) = happening {
            happening();
        }
        self.inner.commit(changes)
    }
}

#[test]
fn no_message_is_encrypted_while_its_status_changes() {
    let (customer, shop) = customer_and_shop();
    let to = shop.address();
    let store = customer.device.store().clone();
    let watched = Watched { inner: store.clone(), ..Watched::default() };
    let before_commit = watched.before_commit.clone();
    let mut first = Device::open(watched, *customer.device.options()).unwrap();
    let mut rng = seeded("race", 1);
    first.encrypt(&to, b"before", NOW, &mut rng).unwrap();

    // Between what the first handle has computed and its commit, another one learns of the move.
    let other = Rc::new(RefCell::new(customer));
    let learner = other.clone();
    *before_commit.borrow_mut() = Some(Box::new(move || {
        let events = learn(&mut learner.borrow_mut(), &[said(HostedByMeta, 1)]);
        assert_eq!(events.len(), 1);
    }));
    let sessions = |store: &Memory| -> Vec<_> {
        contents(store)
            .into_iter()
            .filter(|(key, ..)| !matches!(key, RecordKey::EncryptionStatus(_)))
            .collect()
    };
    let before = sessions(&store);
    let refused = first.encrypt(&to, b"unnoticed", NOW, &mut rng).unwrap_err();
    assert_eq!(refused.protocol(), Some(Error::ConsentRequired));
    assert!(before_commit.borrow().is_none(), "it did happen in between");
    assert_eq!(sessions(&store), before, "no key was spent");

    // The other way round: refused on what is no longer so, it is tried again and goes through.
    let agreeing = other.clone();
    let happening = move || consent(&mut agreeing.borrow_mut(), SHOP, HostedByMeta).unwrap();
    *before_commit.borrow_mut() = Some(Box::new(happening));
    first.encrypt(&to, b"agreed meanwhile", NOW, &mut rng).unwrap();
    // A consent that comes too late for a status that has changed is no consent to the new one.
    let (late, learner) = (other.clone(), other);
    *before_commit.borrow_mut() = Some(Box::new(move || {
        learn(&mut learner.borrow_mut(), &[said(HostedByThirdParty, 2)]);
    }));
    let done = first.consent_to_hosting(SHOP, HostedByMeta, NOW, &mut rng);
    // It was recorded before, so nothing was to be written: still it is compared with the store.
    assert_eq!(done.unwrap_err().protocol(), Some(Error::ConsentRequired));
    assert_eq!(refusal(&mut late.borrow_mut(), &to), Some(Error::ConsentRequired));
}

#[test]
fn the_commit_of_the_pure_operation_expects_the_status_that_was_decided_upon() {
    let (mut customer, shop) = customer_and_shop();
    let to = shop.address();
    let store = customer.device.store().clone();
    let local = store.load(&RecordKey::Local).unwrap();
    let mut snapshot = sandi::Snapshot::new();
    snapshot.insert(RecordKey::Local, local);
    let local = sandi::protocol::Local::load(&snapshot).unwrap().unwrap();
    let own = Own { local, options: *customer.device.options() };
    let operation = Encrypt { recipients: &[Recipient { address: &to, plaintext: b"x" }] };
    let mut loaded = Loaded::new();
    loop {
        let keys = operation.needs(&own, &loaded).unwrap();
        if keys.is_empty() {
            break;
        }
        for key in keys {
            let record = store.load(&key).unwrap();
            loaded.insert(key, record);
        }
    }
    let (sent, changes) = operation.run(&own, &mut loaded, NOW, &mut seeded("x", 1)).unwrap();
    assert!(sent[0].message.is_ok());
    let status = changes.get(&RecordKey::EncryptionStatus(SHOP.into())).unwrap();
    assert_eq!(status.expected(), Expected::Absent);
    assert!(matches!(status.write(), Write::Keep));
    learn(&mut customer, &[said(HostedByMeta, 1)]);
    assert!(matches!(store.clone().commit(&changes), Err(CommitError::Conflict)));
}

#[test]
fn names_of_one_user_share_what_is_known_and_agreed() {
    let (mut customer, _) = customer_and_shop();
    let lid = "777_1";
    learn(&mut customer, &[said(HostedByMeta, 3)]);
    consent(&mut customer, SHOP, HostedByMeta).unwrap();
    // The mapping is learned: the LID is the same business.
    let names = [SHOP, lid, SHOP];
    let events = customer.device.learn_hosting(&names, &[], NOW, &mut customer.rng).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((&*events[0].name, events[0].from, events[0].to), (lid, None, HostedByMeta));
    let of = |customer: &Party, name: &str| customer.device.encryption_status(name).unwrap();
    assert_eq!(of(&customer, SHOP), of(&customer, lid));
    assert!(of(&customer, lid).permits());
    // A change under both names is an event for each.
    let signals = [said(HostedByThirdParty, 4)];
    let events = customer.device.learn_hosting(&[lid, SHOP], &signals, NOW, &mut customer.rng);
    let events = events.unwrap();
    assert_eq!(events.iter().map(|event| &*event.name).collect::<Vec<_>>(), [SHOP, lid]);
    assert!(!of(&customer, lid).permits() && !of(&customer, SHOP).permits());
    for names in [&[][..], &[SHOP; 17]] {
        let refused = customer.device.learn_hosting(names, &signals, NOW, &mut customer.rng);
        assert_eq!(refused.unwrap_err().protocol(), Some(Error::InvalidArgument));
    }
}

#[test]
fn a_message_to_users_waits_for_consent_to_their_hosted_device() {
    let (mut customer, shop) = customer_and_shop();
    let mut cloud = cloud();
    customer.start(&mut cloud);
    let listed = |id| ListedDevice { id: address(SHOP, id).device(), registration_id: None };
    let send = |customer: &mut Party| {
        let Party { device, rng, .. } = customer;
        device.encrypt_to_users(&[SHOP], b"hello", None, NOW, rng).unwrap()
    };
    let update = |customer: &mut Party, ids: &[ListedDevice]| {
        customer.device.update_devices(SHOP, ids, NOW, &mut customer.rng).unwrap();
    };
    update(&mut customer, &[listed(1)]);
    assert!(matches!(send(&mut customer), Sent::Messages(sent) if sent.len() == 1));
    // Coexistence: the shop's phone stays, the cloud joins. By its address alone.
    update(&mut customer, &[listed(1), listed(99)]);
    let Sent::Incomplete { blocked, need_session, .. } = send(&mut customer) else { panic!() };
    assert_eq!(blocked, [(cloud.address(), Error::ConsentRequired)]);
    assert_eq!(need_session, []);
    // Learned as a list, it concerns the user, so both devices.
    let (phone, hosted) = (shop.address(), cloud.address());
    learn(&mut customer, &[Signal::addresses([&phone, &hosted], NOW)]);
    let Sent::Incomplete { blocked, .. } = send(&mut customer) else { panic!() };
    assert_eq!(blocked.len(), 2);
    consent(&mut customer, SHOP, HostedUnknown).unwrap();
    assert!(matches!(send(&mut customer), Sent::Messages(sent) if sent.len() == 2));
    // The cloud leaves again.
    update(&mut customer, &[listed(1)]);
    let later = Timestamp(NOW.as_millis() + 1);
    let events = learn(&mut customer, &[Signal::addresses([&phone], later)]);
    assert_eq!(events[0].notice(), Some(Notice::NowEncrypted));
    assert!(matches!(send(&mut customer), Sent::Messages(sent) if sent.len() == 1));
}

fn wrap(bytes: &[u8]) -> sandi::session::Plaintext {
    bytes.to_vec().into()
}

fn send(
    sender: &mut Party,
    distribution: &Distribution,
    members: &[Address],
) -> Result<SentToGroup, DeviceError<std::convert::Infallible>> {
    let message = SendToGroup { distribution, members, content: b"hello all", wrap: &wrap };
    sender.device.send_to_group(&message, NOW, &mut sender.rng)
}

#[test]
fn a_hosted_device_gets_no_sender_key_where_the_group_is_named_by_its_id() {
    for require in [false, true] {
        let (mut customer, shop) = customer_and_shop();
        let mut cloud = cloud();
        customer.start(&mut cloud);
        if !require {
            customer.device.set_options(options(Policy::V3));
        }
        let members = [customer.address(), shop.address(), cloud.address()];
        let group = Distribution::Group("1@g.us".into());
        let sent = send(&mut customer, &group, &members).unwrap();
        let SentToGroup::Message { distributions, .. } = sent else { panic!("{sent:?}") };
        let to: Vec<_> = distributions.iter().map(|sent| sent.address.clone()).collect();
        assert_eq!(to, [shop.address()]);
    }
    // Signal's groups know no hosted devices: 99 is a device like another.
    let (mut customer, shop) = customer_and_shop();
    let mut cloud = cloud();
    customer.start(&mut cloud);
    customer.device.set_options(options(Policy::V3));
    let members = [shop.address(), cloud.address()];
    let sent = send(&mut customer, &Distribution::Id([1; 16]), &members).unwrap();
    assert!(matches!(sent, SentToGroup::Message { distributions, .. } if distributions.len() == 2));
}

#[test]
fn a_group_waits_for_consent_to_its_members_hosts_and_to_its_own() {
    let (mut customer, shop) = customer_and_shop();
    let members = [shop.address()];
    let group = Distribution::Group("1@g.us".into());
    let rotated = |sent: SentToGroup| match sent {
        SentToGroup::Message { distributions, .. } => distributions.len(),
        SentToGroup::Incomplete { .. } => panic!("{sent:?}"),
    };
    assert_eq!(rotated(send(&mut customer, &group, &members).unwrap()), 1);
    assert_eq!(rotated(send(&mut customer, &group, &members).unwrap()), 0);
    // The member holds the key already, and is hosted from now on: it could read the next message.
    learn(&mut customer, &[said(HostedByThirdParty, 1)]);
    let before = contents(customer.device.store());
    let sent = send(&mut customer, &group, &members).unwrap();
    let SentToGroup::Incomplete { blocked, need_session } = sent else { panic!("{sent:?}") };
    assert_eq!(blocked, [(shop.address(), Error::ConsentRequired)]);
    assert_eq!(need_session, []);
    assert_eq!(contents(customer.device.store()), before);
    consent(&mut customer, SHOP, HostedByThirdParty).unwrap();
    assert_eq!(rotated(send(&mut customer, &group, &members).unwrap()), 0);

    // The group itself: created through the Cloud API.
    let signals = [Signal::group_record(true).unwrap()];
    let events = customer.device.learn_hosting(&["1@g.us"], &signals, NOW, &mut customer.rng);
    let events = events.unwrap();
    assert_eq!(events[0].notice(), Some(Notice::HostedGroup));
    let refused = send(&mut customer, &group, &members).unwrap_err();
    assert_eq!(refused.protocol(), Some(Error::ConsentRequired));
    consent(&mut customer, "1@g.us", HostedByMeta).unwrap();
    assert_eq!(rotated(send(&mut customer, &group, &members).unwrap()), 0);
    assert_eq!(Signal::group_record(false), None);
    assert_eq!(Signal::group_message(false), None);
}

#[test]
fn a_damaged_record_refuses_and_is_never_taken_for_consent() {
    let (mut customer, shop) = customer_and_shop();
    learn(&mut customer, &[said(HostedByMeta, 1), Signal::scan(true, NOW)]);
    consent(&mut customer, SHOP, HostedByMeta).unwrap();
    let store = customer.device.store().clone();
    let key = RecordKey::EncryptionStatus(SHOP.into());
    let good = store.load(&key).unwrap().unwrap().bytes().to_vec();
    let known = customer.device.encryption_status(SHOP).unwrap();
    for bit in 0..8 * good.len() {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let revision = store.load(&key).unwrap().unwrap().revision();
        let mut changes = Changes::new();
        changes.update(key.clone(), revision, bytes).unwrap();
        store.clone().commit(&changes).unwrap();
        match customer.device.encryption_status(SHOP) {
            // Another value, and not the same one in another form.
            Ok(other) => assert_ne!(other, known, "bit {bit}"),
            Err(error) => {
                let refused = refusal(&mut customer, &shop.address());
                assert_eq!(refused, error.protocol(), "bit {bit}");
                let error = error.protocol().unwrap();
                assert!(matches!(error, Error::InvalidState | Error::FutureRecord(_)));
            }
        }
    }
    let _: &MemoryStore = &store.borrow();
}
