//! Ops on parties and their identities.

use sandi::device::DeviceError;
use sandi::keys::{IdentityKey, IdentityKeyPair, PrivateKey, PublicKey};
use sandi::rand_core::Rng;
use sandi::{Address, Policy};
use sandi_interop::json::b64;
use serde_json::json;

use crate::failure::Failure;
use crate::party::{NewParty, Party, Trust};
use crate::request::{Request, device_id};
use crate::{Reply, Server};

pub(crate) const OPS: &[&str] = &[
    "party.create",
    "party.info",
    "party.list",
    "party.delete",
    "party.clone",
    "party.setTrust",
    "party.events",
    "identity.export",
    "identity.import",
];

pub(crate) fn run(server: &mut Server, op: &str, request: &Request<'_>) -> Reply {
    if op == "party.list" {
        return Ok(json!({"parties": server.parties.keys().collect::<Vec<_>>()}));
    }
    if op == "party.create" {
        return create(server, request);
    }
    let handle = request.text("party")?;
    match op {
        "party.delete" => {
            let deleted = server.parties.remove(handle).is_some();
            if deleted {
                server.home.remove(handle).map_err(DeviceError::Store)?;
            }
            return Ok(json!({ "deleted": deleted }));
        }
        "party.clone" => {
            server.party(handle)?;
            let to = request.text("to")?;
            if to != handle {
                drop(server.parties.remove(to));
                let copy = server.parties[handle].copy(&server.home, to)?;
                server.parties.insert(to.to_owned(), copy);
            }
            return server.parties[to].info(to);
        }
        "identity.import" => {
            server.party(handle)?;
            let identity = IdentityKeyPair::decode(&request.bytes("identityKeyPair")?)?;
            if let Some((handle, party)) = server.parties.remove_entry(handle) {
                let party = party.with_identity(identity, &mut server.rng)?;
                server.parties.insert(handle, party);
            }
            return Ok(json!({}));
        }
        _ => {}
    }
    let (party, rng) = server.party(handle)?;
    match op {
        "party.info" => party.info(handle),
        "party.setTrust" => {
            party.set_trust(Trust::parse(request.text("trust")?)?, rng)?;
            Ok(json!({}))
        }
        "party.events" => {
            let events = party.events.clone();
            if request.flag("clear", false) {
                party.events.clear();
            }
            Ok(json!({ "events": events }))
        }
        "identity.export" => Ok(json!({
            "identityKeyPair": b64(party.identity().encode().expose()),
            "publicKey": b64(&party.identity().identity_key().encode()),
            "privateKey": b64(party.identity().private_key().secret().expose()),
        })),
        _ => Err(Failure::bad_request(op)),
    }
}

fn create(server: &mut Server, request: &Request<'_>) -> Reply {
    let name = request.text("name")?;
    let v3 = server.policy == Policy::V3;
    let device = device_id(request.number_option("deviceId")?.unwrap_or(u32::from(!v3)), v3)?;
    let handle = request.text("party").unwrap_or(name).to_owned();
    let identity = if let Some(pair) = request.bytes_option("identityKeyPair")? {
        IdentityKeyPair::decode(&pair)?
    } else if let Some(private) = request.bytes_option("privateKey")? {
        let private = PrivateKey::decode(&private)?;
        match request.bytes_option("publicKey")? {
            Some(public) => {
                let public = IdentityKey::new(PublicKey::decode(&public)?);
                IdentityKeyPair::from_parts(public, private)
            }
            None => IdentityKeyPair::from_private(private),
        }
    } else {
        IdentityKeyPair::generate(&mut server.rng)
    };
    let trust = request.text("trust").map_or(Ok(Trust::Tofu), Trust::parse)?;
    let registration_id = match request.number_option("registrationId")? {
        Some(id) => id,
        // 1..=16380 (spec 01 §8)
        None => server.rng.next_u32() % 16380 + 1,
    };
    let party = NewParty { address: Address::new(name, device), registration_id, identity, trust };
    drop(server.parties.remove(&handle));
    let store = server.home.fresh(&handle).map_err(DeviceError::Store)?;
    let party = Party::create(store, party, server.policy, &mut server.rng)?;
    let info = party.info(&handle)?;
    server.parties.insert(handle, party);
    Ok(info)
}
