//! A peer: a child process that answers one JSON object a line over its standard input and output.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use serde_json::{Map, Value};

/// Which release of the official libsignal a peer runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Libsignal {
    /// 0.103.0: version 4 with SPQR; continues version-3 sessions that exist already.
    Current,
    /// 0.72.1: version 4 without SPQR, and version 3 where a bundle has no KEM pre-key.
    Legacy,
    /// 0.23.1: version 3 only, version byte `0x33`.
    V3,
}

/// A running peer. Its process is ended when the value is dropped.
pub struct Peer {
    label: String,
    wire: Mutex<Wire>,
}

struct Wire {
    command: Command,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next_id: u64,
}

/// A peer's error reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The stable name of the error, such as `DuplicatedMessage`.
    pub kind: String,
    /// The peer's own words.
    pub message: String,
}

/// Why a call gave no answer.
#[derive(Debug)]
pub enum CallError {
    /// The peer answered with an error.
    Refused(Refusal),
    /// The peer's process ended, or what it wrote is not the protocol.
    Broken(io::Error),
}

impl Peer {
    /// The official libsignal.
    ///
    /// # Errors
    ///
    /// When the peers are not installed, or Node does not start.
    pub fn libsignal(release: Libsignal) -> io::Result<Self> {
        let (label, flags): (_, &[&str]) = match release {
            Libsignal::Current => ("libsignal", &[]),
            Libsignal::Legacy => ("libsignal --legacy", &["--legacy"]),
            Libsignal::V3 => ("libsignal --v3", &["--v3"]),
        };
        Self::node(label, "libsignal", flags)
    }

    /// libsignal-node, the session code of WhatsApp-family clients.
    ///
    /// # Errors
    ///
    /// When the peers are not installed, or Node does not start.
    pub fn libsignal_node() -> io::Result<Self> {
        Self::node("libsignal-node", "libsignal-node", &[])
    }

    fn node(label: &str, folder: &str, flags: &[&str]) -> io::Result<Self> {
        let folder = peers_folder()?.join(folder);
        if !folder.join("node_modules").is_dir() {
            return Err(not_installed(&folder));
        }
        let mut command = Command::new("node");
        command.arg(folder.join("oracle.mjs")).args(flags);
        Self::start(label, command)
    }

    /// sandi, through the program at `program` (`CARGO_BIN_EXE_sandi-peer` in a test).
    ///
    /// # Errors
    ///
    /// When the program does not start.
    pub fn sandi(program: &Path, flags: &[String]) -> io::Result<Self> {
        let label = ["sandi"].into_iter().chain(flags.iter().map(String::as_str));
        let mut command = Command::new(program);
        command.args(flags);
        Self::start(&label.collect::<Vec<_>>().join(" "), command)
    }

    fn start(label: &str, mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (child, input, output) = spawn(&mut command)?;
        let wire = Wire { command, child, input, output, next_id: 1 };
        Ok(Self { label: label.to_owned(), wire: Mutex::new(wire) })
    }

    /// Kills the process, without a warning (SIGKILL on Unix), and starts another one with the same
    /// arguments. What the peer has not stored is gone.
    ///
    /// # Errors
    ///
    /// When it cannot be killed, or does not start again.
    pub fn kill_and_restart(&self) -> io::Result<()> {
        let mut wire = self.wire();
        wire.child.kill()?;
        wire.child.wait()?;
        let (child, input, output) = spawn(&mut wire.command)?;
        (wire.child, wire.input, wire.output) = (child, input, output);
        Ok(())
    }

    /// What the peer is, for messages to people.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Calls `op` with `fields`, a JSON object, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`CallError::Refused`] when the peer answers with an error, [`CallError::Broken`] when it
    /// does not answer.
    pub fn call(&self, op: &str, fields: Value) -> Result<Value, CallError> {
        self.wire().call(op, fields)
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn spawn(command: &mut Command) -> io::Result<(Child, ChildStdin, BufReader<ChildStdout>)> {
    let mut child = command.spawn()?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a child process without pipes"));
    };
    Ok((child, input, BufReader::new(output)))
}

impl Wire {
    fn call(&mut self, op: &str, fields: Value) -> Result<Value, CallError> {
        let mut request = match fields {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            _ => return Err(broken("the fields of a call must be an object")),
        };
        let id = self.next_id;
        self.next_id += 1;
        request.insert("id".into(), id.into());
        request.insert("op".into(), op.into());
        let mut line = Value::Object(request).to_string();
        line.push('\n');
        self.input.write_all(line.as_bytes()).map_err(CallError::Broken)?;
        self.input.flush().map_err(CallError::Broken)?;
        line.clear();
        if self.output.read_line(&mut line).map_err(CallError::Broken)? == 0 {
            return Err(broken("the peer's process ended"));
        }
        let reply: Value =
            serde_json::from_str(&line).map_err(|e| CallError::Broken(io::Error::other(e)))?;
        if reply["id"] != id {
            return Err(broken("the peer answered another request"));
        }
        match Refusal::of(&reply) {
            Some(refusal) => Err(CallError::Refused(refusal)),
            None => Ok(reply),
        }
    }
}

fn broken(what: &str) -> CallError {
    CallError::Broken(io::Error::other(what))
}

impl Refusal {
    /// The error of a reply (also of one within a `batch`), if it is one.
    #[must_use]
    pub fn of(reply: &Value) -> Option<Self> {
        let error = reply.get("error")?;
        let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        Some(Self { kind: text("kind"), message: text("message") })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Broken(error) => write!(f, "no answer: {error}"),
        }
    }
}

impl std::error::Error for CallError {}

impl Drop for Wire {
    fn drop(&mut self) {
        // Best effort: a peer that has ended already cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `install-peers.sh` puts the peers: `SANDI_PEERS`, or `sandi-peers` in the cache directory.
///
/// # Errors
///
/// When none of the three variables is set.
pub fn peers_folder() -> io::Result<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("SANDI_PEERS")
        .or_else(|| var("XDG_CACHE_HOME").map(|d| d.join("sandi-peers")))
        .or_else(|| var("HOME").map(|d| d.join(".cache/sandi-peers")))
        .ok_or_else(|| io::Error::other("none of SANDI_PEERS, XDG_CACHE_HOME and HOME is set"))
}

fn not_installed(folder: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("no peers in {} (interop/install-peers.sh installs them)", folder.display()),
    )
}
