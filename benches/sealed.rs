//! Sealed sender, in ladders of the same run: one recipient, and many. For many, the floor is two key
//! agreements a recipient, which no two of them share.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout
)]

mod common;

use std::hint::black_box;

use common::{NOW, criterion, median};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sandi::keys::{IdentityKeyPair, KeyPair};
use sandi::sealed_sender::{
    ContentHint, MultiRecipientMessage, Sender, SenderCertificate, SentMessage, ServerCertificate,
    Trust, UnidentifiedSenderMessageContent, open, seal_v1,
};
use sandi::wire::CiphertextMessageType;
use sandi::{Address, DeviceId, ServiceId};
use x25519_dalek::{PublicKey, StaticSecret};

const RECIPIENTS: [u32; 4] = [10, 100, 1_000, 10_000];

fn name(index: u32) -> String {
    let mut uuid = [7; 16];
    uuid[..4].copy_from_slice(&index.wrapping_mul(0x9E37_79B9).to_be_bytes());
    ServiceId::aci(uuid).to_string()
}

fn main() {
    let mut c = criterion();
    let rng = &mut StdRng::seed_from_u64(1);
    let (secret, public) = (StaticSecret::from([5; 32]), PublicKey::from([9; 32]));
    c.bench_function("sealed/ladder", |b| b.iter(|| secret.diffie_hellman(black_box(&public))));

    let (sender, recipient) = (IdentityKeyPair::generate(rng), IdentityKeyPair::generate(rng));
    let (root, server) = (KeyPair::generate(rng), KeyPair::generate(rng));
    let certificate = ServerCertificate::issue(1, server.public_key(), root.private_key(), rng);
    let device = DeviceId::new(1).unwrap();
    let uuid = name(0);
    let who = Sender { uuid: &uuid, e164: None, device, identity: sender.identity_key() };
    let certificate = SenderCertificate::issue(&who, NOW, &certificate, server.private_key(), rng);
    let content = UnidentifiedSenderMessageContent::new(
        CiphertextMessageType::SenderKey,
        &[7; 300],
        &certificate,
        ContentHint::Resendable,
        Some(&[1; 32]),
    );

    c.bench_function("sealed/v1/seal", |b| {
        b.iter(|| seal_v1(&sender, recipient.identity_key(), black_box(&content), rng).unwrap());
    });
    let message = seal_v1(&sender, recipient.identity_key(), &content, rng).unwrap();
    c.bench_function("sealed/v1/open", |b| {
        b.iter(|| open(black_box(&message), &recipient).unwrap());
    });
    let roots = [*root.public_key()];
    c.bench_function("sealed/validate-certificate", |b| {
        b.iter(|| certificate.validate(black_box(&Trust::new(&roots)), NOW).unwrap());
    });

    let mut message = MultiRecipientMessage::default();
    let mut added = 0;
    for recipients in RECIPIENTS {
        while added < recipients {
            let identity = IdentityKeyPair::generate(rng);
            let address = Address::new(name(added), device);
            message.add(&address, identity.identity_key(), Some(1)).unwrap();
            added += 1;
        }
        let mut group = c.benchmark_group("sealed/v2");
        group.sample_size(10);
        group.bench_function(format!("seal-{recipients}"), |b| {
            b.iter(|| message.seal(&sender, black_box(&content), rng).unwrap());
        });
        group.finish();
        let sent = message.seal(&sender, &content, rng).unwrap();
        c.bench_function(&format!("sealed/v2/parse-{recipients}"), |b| {
            b.iter(|| SentMessage::parse(black_box(&sent)).unwrap());
        });
        c.bench_function(&format!("sealed/v2/split-{recipients}"), |b| {
            b.iter(|| {
                let view = SentMessage::parse(black_box(&sent)).unwrap();
                let parts = view.recipients().map(|r| view.received_parts(r).unwrap()[1].len());
                parts.sum::<usize>()
            });
        });
    }
    let mut message = MultiRecipientMessage::default();
    message.add(&Address::new(name(0), device), recipient.identity_key(), Some(1)).unwrap();
    let sent = message.seal(&sender, &content, rng).unwrap();
    let view = SentMessage::parse(&sent).unwrap();
    let received = view.received(view.recipients().next().unwrap()).unwrap();
    c.bench_function("sealed/v2/open", |b| {
        b.iter(|| open(black_box(&received), &recipient).unwrap());
    });
    c.final_summary();

    let ids = ["sealed/v1/seal", "sealed/v1/open", "sealed/v2/open", "sealed/validate-certificate"];
    let rows: Vec<_> = ids.iter().map(|id| (*id, "sealed/ladder")).collect();
    common::table("Sealed sender, in X25519 ladders", &rows);
    println!(
        "\nVersion 2, a recipient\n{:>12}{:>12}{:>12}{:>12}",
        "", "seal µs", "ladders", "parse ns"
    );
    for recipients in RECIPIENTS {
        let a_recipient = |what: &str| {
            median(&format!("sealed/v2/{what}-{recipients}"))
                .map(|time| time / f64::from(recipients))
        };
        if let (Some(seal), Some(parse), Some(ladder)) =
            (a_recipient("seal"), a_recipient("parse"), median("sealed/ladder"))
        {
            let (micros, ladders) = (seal / 1e3, seal / ladder);
            println!("{recipients:>12}{micros:>12.3}{ladders:>12.2}{parse:>12.1}");
        }
    }
}
