//! `sandi-peer`: sandi behind the JSON-lines protocol of `peers/libsignal/README.md`, so that one
//! scenario can be pointed at any pair of implementations. An op that it lacks answers `NotImplemented`.
//!
//! `--spqr off` speaks version 4 without SPQR, `--v3` speaks version 3; the default is today's version 4.
//! Every party is a `Device`, in memory or, with `--store sqlite:PATH`, in a file of its own, which the next
//! process finds again.

mod extra_ops;
mod failure;
mod group_ops;
mod message_ops;
mod party;
mod party_ops;
mod pre_key_ops;
mod primitive_ops;
mod request;
mod sealed_ops;
mod session_ops;
mod store;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use sandi::device::DeviceError;
use sandi::{OsRng, Policy};
use serde_json::{Value, json};

use failure::Failure;
use party::Party;
use request::Request;
use store::Home;

/// What an op answers.
type Reply = Result<Value, Failure>;

/// Everything the server holds.
struct Server {
    policy: Policy,
    home: Home,
    rng: OsRng,
    parties: BTreeMap<String, Party>,
}

/// All ops, for `hello`; those of one group are carried out in one file.
const OPS: &[(&str, &[&str])] = &[
    ("general", &["hello", "ping", "reset", "shutdown", "batch"]),
    ("party", party_ops::OPS),
    ("pre-key", pre_key_ops::OPS),
    ("message", message_ops::OPS),
    ("session", session_ops::OPS),
    ("primitive", primitive_ops::OPS),
    ("group", group_ops::OPS),
    ("sealed sender", sealed_ops::OPS),
    ("extra", extra_ops::OPS),
];

impl Server {
    fn run(&mut self, request: &Value) -> Reply {
        let op = request["op"].as_str().ok_or_else(|| Failure::bad_request("op is missing"))?;
        let request = Request::new(request);
        match op {
            "hello" => Ok(json!({
                "oracle": "sandi", "version": env!("CARGO_PKG_VERSION"),
                "mode": if self.policy == Policy::V3 { "v3" } else { "current" },
                "capabilities": {
                    "x3dh": self.policy == Policy::V3, "pqxdh": self.policy != Policy::V3,
                    "spqr": self.policy == Policy::V4,
                },
                "ops": OPS.iter().flat_map(|(_, ops)| ops.iter()).collect::<Vec<_>>(),
            })),
            "ping" | "shutdown" => Ok(json!({})),
            "reset" => {
                for (handle, party) in std::mem::take(&mut self.parties) {
                    drop(party);
                    self.home.remove(&handle).map_err(DeviceError::Store)?;
                }
                Ok(json!({}))
            }
            "batch" => self.batch(&request),
            _ if group_ops::takes(op, &request) => group_ops::run(self, op, &request),
            _ if party_ops::OPS.contains(&op) => party_ops::run(self, op, &request),
            _ if pre_key_ops::OPS.contains(&op) => pre_key_ops::run(self, op, &request),
            _ if message_ops::OPS.contains(&op) => message_ops::run(self, op, &request),
            _ if session_ops::OPS.contains(&op) => session_ops::run(self, op, &request),
            _ if primitive_ops::OPS.contains(&op) => primitive_ops::run(self, op, &request),
            _ if sealed_ops::OPS.contains(&op) => sealed_ops::run(self, op, &request),
            _ if extra_ops::OPS.contains(&op) => extra_ops::run(self, op, &request),
            _ => Err(Failure::new("NotImplemented", format!("sandi-peer has no op {op}"))),
        }
    }

    fn batch(&mut self, request: &Request<'_>) -> Reply {
        let requests = request.value("requests");
        let requests =
            requests.as_array().ok_or_else(|| Failure::bad_request("requests is missing"))?;
        let stop = request.flag("stopOnError", false);
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            let reply = self.run(request);
            let failed = reply.is_err();
            replies.push(answer(request, reply));
            if failed && stop {
                break;
            }
        }
        Ok(json!({ "replies": replies }))
    }

    fn party(&mut self, handle: &str) -> Result<(&mut Party, &mut OsRng), Failure> {
        let party = self
            .parties
            .get_mut(handle)
            .ok_or_else(|| Failure::bad_request(format!("no party {handle}")))?;
        Ok((party, &mut self.rng))
    }
}

/// A reply as it goes over the wire.
fn answer(request: &Value, reply: Reply) -> Value {
    let mut out = json!({ "id": request["id"] });
    match reply {
        Ok(fields) => {
            out["ok"] = true.into();
            for (name, value) in fields.as_object().into_iter().flatten() {
                out[name] = value.clone();
            }
        }
        Err(failure) => out["error"] = failure.to_json(),
    }
    out
}

fn read_arguments(arguments: &[String]) -> Option<(Policy, Home)> {
    let (mut policy, mut home) = (Policy::V4, Home::Memory);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument {
            "--v3" => policy = Policy::V3,
            "--spqr" => {
                policy = match rest.next()? {
                    "on" => Policy::V4,
                    "off" => Policy::V4_WITHOUT_SPQR,
                    _ => return None,
                }
            }
            "--store" => home = Home::parse(rest.next()?)?,
            _ => return None,
        }
    }
    Some((policy, home))
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((policy, home)) = read_arguments(&arguments) else {
        eprintln!("usage: sandi-peer [--spqr on|off | --v3] [--store sqlite:PATH]");
        std::process::exit(2);
    };
    let mut parties = BTreeMap::new();
    for (handle, store) in home.residents().map_err(std::io::Error::other)? {
        match Party::open(store, policy) {
            Ok(party) => drop(parties.insert(handle, party)),
            Err(failure) => eprintln!("sandi-peer: {handle} is left out: {failure:?}"),
        }
    }
    let mut server = Server { policy, home, rng: OsRng::default(), parties };
    let (input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    for line in input.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let (request, reply) = match serde_json::from_str::<Value>(&line) {
            Ok(request) => {
                let reply = server.run(&request);
                (request, reply)
            }
            Err(error) => (Value::Null, Err(Failure::bad_request(error.to_string()))),
        };
        writeln!(output, "{}", answer(&request, reply))?;
        output.flush()?;
        if request["op"] == "shutdown" {
            break;
        }
    }
    Ok(())
}
