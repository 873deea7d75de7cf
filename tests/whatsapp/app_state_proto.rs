//! The messages of spec 26 by prost, to compare with and to tamper with.
#![allow(dead_code, missing_docs, unreachable_pub)]

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub struct Blob {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub blob: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Version {
    #[prost(uint64, optional, tag = "1")]
    pub version: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SyncdRecord {
    #[prost(message, optional, tag = "1")]
    pub index: Option<Blob>,
    #[prost(message, optional, tag = "2")]
    pub value: Option<Blob>,
    #[prost(message, optional, tag = "3")]
    pub key_id: Option<Blob>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SyncdMutation {
    #[prost(int32, optional, tag = "1")]
    pub operation: Option<i32>,
    #[prost(message, optional, tag = "2")]
    pub record: Option<SyncdRecord>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SyncdMutations {
    #[prost(message, repeated, tag = "1")]
    pub mutations: Vec<SyncdMutation>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ExitCode {
    #[prost(uint64, optional, tag = "1")]
    pub code: Option<u64>,
    #[prost(string, optional, tag = "2")]
    pub text: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SyncdPatch {
    #[prost(message, optional, tag = "1")]
    pub version: Option<Version>,
    #[prost(message, repeated, tag = "2")]
    pub mutations: Vec<SyncdMutation>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub external_mutations: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub snapshot_mac: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub patch_mac: Option<Vec<u8>>,
    #[prost(message, optional, tag = "6")]
    pub key_id: Option<Blob>,
    #[prost(message, optional, tag = "7")]
    pub exit_code: Option<ExitCode>,
    #[prost(uint32, optional, tag = "8")]
    pub device_index: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SyncdSnapshot {
    #[prost(message, optional, tag = "1")]
    pub version: Option<Version>,
    #[prost(message, repeated, tag = "2")]
    pub records: Vec<SyncdRecord>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub mac: Option<Vec<u8>>,
    #[prost(message, optional, tag = "4")]
    pub key_id: Option<Blob>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SyncActionData {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub index: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub value: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub padding: Option<Vec<u8>>,
    #[prost(int32, optional, tag = "4")]
    pub version: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Fingerprint {
    #[prost(uint32, optional, tag = "1")]
    pub raw_id: Option<u32>,
    #[prost(uint32, optional, tag = "2")]
    pub current_index: Option<u32>,
    #[prost(uint32, repeated, packed = "true", tag = "3")]
    pub device_indexes: Vec<u32>,
}

#[derive(Clone, PartialEq, Message)]
pub struct KeyData {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub key_data: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    pub fingerprint: Option<Fingerprint>,
    #[prost(int64, optional, tag = "3")]
    pub timestamp: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SyncKey {
    #[prost(message, optional, tag = "1")]
    pub key_id: Option<Blob>,
    #[prost(message, optional, tag = "2")]
    pub key_data: Option<KeyData>,
}

#[derive(Clone, PartialEq, Message)]
pub struct KeyShare {
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<SyncKey>,
}

pub fn blob(bytes: impl Into<Vec<u8>>) -> Option<Blob> {
    Some(Blob { blob: Some(bytes.into()) })
}
