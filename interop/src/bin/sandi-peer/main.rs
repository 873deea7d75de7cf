//! sandi as a peer.
fn main() {}
