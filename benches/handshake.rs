//! Setting a session up, in ladders of the same run: process a bundle, first message both ways.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::hint::black_box;

use common::{Device, criterion};
use sandi::Policy;
use sandi::keys::{PrivateKey, PublicKey};
use sandi::session::Session;
use x25519_dalek::StaticSecret;

fn main() {
    let mut c = criterion();
    let (secret, public) = (StaticSecret::from([5; 32]), x25519_dalek::PublicKey::from([9; 32]));
    c.bench_function("handshake/ladder", |b| {
        b.iter(|| secret.diffie_hellman(black_box(&public)));
    });
    let (private, their) = (PrivateKey::decode(&[5; 32]).unwrap(), PublicKey::from_raw([9; 32]));
    c.bench_function("handshake/agreement", |b| b.iter(|| private.agree(black_box(&their))));
    for (dialect, policy) in [("v3", Policy::V3), ("v4", Policy::V4)] {
        let (mut alice, mut bob) = (Device::new("alice", 1), Device::new("bob", 2));
        let (a, b, bundle) = (alice.address.clone(), bob.address.clone(), bob.bundle(policy));
        c.bench_function(&format!("handshake/{dialect}/process-bundle"), |bench| {
            bench.iter(|| {
                alice.session = Session::new();
                alice.initiate(&b, black_box(&bundle), policy);
            });
        });
        let mut out = Vec::with_capacity(4096);
        c.bench_function(&format!("handshake/{dialect}/first-encrypt"), |bench| {
            bench.iter(|| alice.encrypt_into(&b, &[7; 64], &mut out));
        });
        // a session of its own: the one above has sent too many messages to be the first
        alice.session = Session::new();
        alice.initiate(&b, &bundle, policy);
        alice.encrypt_into(&b, &[7; 64], &mut out);
        c.bench_function(&format!("handshake/{dialect}/first-decrypt"), |bench| {
            bench.iter(|| {
                bob.session = Session::new();
                bob.accept(&a, black_box(&out), policy);
            });
        });
    }
    c.final_summary();
    let rows: Vec<_> = ["v3", "v4"]
        .iter()
        .flat_map(|dialect| {
            ["process-bundle", "first-encrypt", "first-decrypt"]
                .map(|what| format!("handshake/{dialect}/{what}"))
        })
        .collect();
    let rows: Vec<_> = std::iter::once("handshake/agreement")
        .chain(rows.iter().map(String::as_str))
        .map(|id| (id, "handshake/ladder"))
        .collect();
    common::table("Set-up, in X25519 ladders", &rows);
}
