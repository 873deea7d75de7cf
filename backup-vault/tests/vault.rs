//! The vault: passwords, the attempt limit, crashes, races, and what an enumerator sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)]

use sandi::OsRng;
use sandi::backup::BackupKey;
use sandi_vault::{
    Account, BackupVaultServer, ClientError, Limits, MemoryVaultStore, SqliteVaultStore, Vault,
    VaultError, VaultLogin, VaultRegistration, VaultStore,
};
use zeroize::Zeroizing;

const LIMITS: Limits = Limits { attempts: 3, reopenings: 1 };

fn memory() -> Vault<MemoryVaultStore> {
    Vault::open(MemoryVaultStore::default(), LIMITS, &mut OsRng::default()).unwrap()
}

fn register<S: VaultStore>(
    vault: &mut Vault<S>,
    account: &str,
    password: &str,
    key: &BackupKey,
) -> Result<(), VaultError<S::Error>> {
    let rng = &mut OsRng::default();
    let (client, request) = VaultRegistration::start(account, password, rng).unwrap();
    let response = vault.begin_registration(account, &request, rng)?;
    let upload = client.finish(&response, key, rng).unwrap();
    vault.finish_registration(account, &upload, rng)
}

#[derive(Debug, PartialEq, Eq)]
enum Failed<E> {
    Client(ClientError),
    Vault(VaultError<E>),
}

fn recover<S: VaultStore>(
    vault: &mut Vault<S>,
    account: &str,
    password: &str,
) -> Result<BackupKey, Failed<S::Error>> {
    let rng = &mut OsRng::default();
    let (client, request) = VaultLogin::start(account, password, rng).unwrap();
    let answer = vault.begin_login(account, &request, rng).map_err(Failed::Vault)?;
    let (unlock, finalization) = client.finish(&answer.response, rng).map_err(Failed::Client)?;
    let wrapped =
        vault.finish_login(account, answer.login, &finalization).map_err(Failed::Vault)?;
    unlock.open(&wrapped).map_err(Failed::Client)
}

/// An attempt that is never finished, as a guesser's: it is counted all the same.
fn guess<S: VaultStore>(vault: &mut Vault<S>, account: &str) -> Result<u32, VaultError<S::Error>> {
    let rng = &mut OsRng::default();
    let (_, request) = VaultLogin::start(account, "guess", rng).unwrap();
    vault.begin_login(account, &request, rng).map(|answer| answer.attempts_left)
}

fn account<S: VaultStore>(vault: &mut Vault<S>, name: &str) -> Account
where
    S::Error: std::fmt::Debug,
{
    vault.store_mut().update(name, |entry| entry.clone()).unwrap().unwrap()
}

#[test]
fn the_right_password_gives_the_key_back_and_a_wrong_one_does_not() {
    let mut vault = memory();
    let key = BackupKey::generate(&mut OsRng::default());
    register(&mut vault, "alice", "correct horse", &key).unwrap();
    let wrong = recover(&mut vault, "alice", "battery staple");
    assert_eq!(wrong, Err(Failed::Client(ClientError::WrongPassword)));
    assert_eq!(account(&mut vault, "alice").attempts_left, 2);
    assert_eq!(recover(&mut vault, "alice", "correct horse").unwrap(), key);
    assert_eq!(account(&mut vault, "alice").attempts_left, 3, "reset by success");
    // what is stored neither is the key nor holds it
    let record = account(&mut vault, "alice").record.unwrap();
    let stored = [record.opaque, record.wrapped].concat();
    assert!(!stored.windows(32).any(|window| window == key.secret().expose()));
}

#[test]
fn the_limit_destroys_the_record_and_reopening_is_limited() {
    let mut vault = memory();
    let key = BackupKey::generate(&mut OsRng::default());
    register(&mut vault, "alice", "correct horse", &key).unwrap();
    for left in [2, 1, 0] {
        assert_eq!(guess(&mut vault, "alice"), Ok(left));
    }
    let exhausted = Err(Failed::Vault(VaultError::Exhausted));
    assert_eq!(recover(&mut vault, "alice", "correct horse"), exhausted);
    assert_eq!(account(&mut vault, "alice").record, None, "deleted, not only locked");
    // a new registration gives no new guesses
    assert_eq!(register(&mut vault, "alice", "correct horse", &key), Err(VaultError::Exhausted));
    vault.reopen("alice").unwrap();
    assert_eq!(recover(&mut vault, "alice", "correct horse").ok(), None, "the record is gone");
    register(&mut vault, "alice", "correct horse", &key).unwrap();
    assert_eq!(account(&mut vault, "alice").attempts_left, 2);
    for _ in 0..2 {
        guess(&mut vault, "alice").unwrap();
    }
    assert_eq!(guess(&mut vault, "alice"), Err(VaultError::Exhausted));
    assert_eq!(vault.reopen("alice"), Err(VaultError::ReopenedTooOften));
}

#[test]
fn the_last_attempt_may_succeed_and_its_failure_deletes_the_record() {
    let mut vault = memory();
    let key = BackupKey::generate(&mut OsRng::default());
    register(&mut vault, "alice", "correct horse", &key).unwrap();
    guess(&mut vault, "alice").unwrap();
    guess(&mut vault, "alice").unwrap();
    assert_eq!(recover(&mut vault, "alice", "correct horse").unwrap(), key);
    assert_eq!(account(&mut vault, "alice").attempts_left, 3);
    guess(&mut vault, "alice").unwrap();
    guess(&mut vault, "alice").unwrap();
    let rng = &mut OsRng::default();
    let (_, request) = VaultLogin::start("alice", "guess", rng).unwrap();
    let last = vault.begin_login("alice", &request, rng).unwrap();
    let (_, proof) = login_proof(&mut memory());
    // those of before are pending still; they go with the first failure that leaves none
    for login in 0..=last.login {
        let _ = vault.finish_login("alice", login, &proof);
    }
    assert_eq!(account(&mut vault, "alice").record, None);
}

/// A well-formed finalization of another login.
fn login_proof(vault: &mut Vault<MemoryVaultStore>) -> (u64, Vec<u8>) {
    let rng = &mut OsRng::default();
    register(vault, "eve", "eve's", &BackupKey::generate(rng)).unwrap();
    let (client, request) = VaultLogin::start("eve", "eve's", rng).unwrap();
    let answer = vault.begin_login("eve", &request, rng).unwrap();
    (answer.login, client.finish(&answer.response, rng).unwrap().1)
}

#[test]
fn attempts_are_counted_per_account_over_registrations_and_the_old_record_is_gone() {
    let mut vault = memory();
    let rng = &mut OsRng::default();
    let (first, second) = (BackupKey::generate(rng), BackupKey::generate(rng));
    register(&mut vault, "alice", "old", &first).unwrap();
    guess(&mut vault, "alice").unwrap();
    // a login of the old record is under way while the new one is registered
    let (client, request) = VaultLogin::start("alice", "old", rng).unwrap();
    let answer = vault.begin_login("alice", &request, rng).unwrap();
    register(&mut vault, "alice", "new", &second).unwrap();
    assert_eq!(account(&mut vault, "alice").attempts_left, 1, "not reset");
    let (_, proof) = client.finish(&answer.response, rng).unwrap();
    let late = vault.finish_login("alice", answer.login, &proof);
    assert_eq!(late, Err(VaultError::NotBegun), "the old record gives nothing");
    assert_eq!(recover(&mut vault, "alice", "new").unwrap(), second);
    let old = recover(&mut vault, "alice", "old");
    assert_eq!(old, Err(Failed::Client(ClientError::WrongPassword)));
}

#[test]
fn registration_messages_evaluate_no_guess_at_the_registered_record() {
    let mut vault = memory();
    let rng = &mut OsRng::default();
    register(&mut vault, "alice", "pass", &BackupKey::generate(rng)).unwrap();
    // one blinded guess, as a login and as a registration: the evaluations have nothing in common
    let (_, login) = VaultLogin::start("alice", "guess", rng).unwrap();
    let blinded = &login[..32];
    let evaluated = vault.begin_login("alice", &login, rng).unwrap().response[..32].to_vec();
    let again = vault.begin_login("alice", &login, rng).unwrap().response[..32].to_vec();
    assert_eq!(evaluated, again, "the OPRF is a function");
    for _ in 0..3 {
        let answer = vault.begin_registration("alice", blinded, rng).unwrap();
        assert_ne!(answer[..32], evaluated[..]);
    }
    assert_eq!(account(&mut vault, "alice").attempts_left, 1);
}

#[test]
fn an_unknown_account_looks_like_a_known_one() {
    let mut vault = memory();
    let rng = &mut OsRng::default();
    register(&mut vault, "alice", "pass", &BackupKey::generate(rng)).unwrap();
    for left in [2, 1, 0] {
        let mut lengths = Vec::new();
        for account in ["alice", "nobody"] {
            let (client, request) = VaultLogin::start(account, "guess", rng).unwrap();
            let answer = vault.begin_login(account, &request, rng).unwrap();
            assert_eq!(answer.attempts_left, left);
            lengths.push(answer.response.len());
            let wrong = client.finish(&answer.response, rng).err();
            assert_eq!(wrong, Some(ClientError::WrongPassword));
        }
        assert_eq!(lengths[0], lengths[1]);
    }
    for account in ["alice", "nobody"] {
        assert_eq!(guess(&mut vault, account), Err(VaultError::Exhausted));
    }
}

#[test]
fn malformed_messages_are_typed_errors_and_cost_nothing() {
    let mut vault = memory();
    let rng = &mut OsRng::default();
    register(&mut vault, "alice", "pass", &BackupKey::generate(rng)).unwrap();
    let before = account(&mut vault, "alice");
    for length in [0, 1, 31, 32, 61, 95, 96, 97, 128, 200, 320, 400] {
        let bytes = vec![0xFF; length];
        assert_eq!(vault.begin_login("alice", &bytes, rng), Err(VaultError::Malformed));
        assert_eq!(vault.begin_registration("alice", &bytes, rng), Err(VaultError::Malformed));
        let finished = vault.finish_registration("alice", &bytes, rng);
        assert_eq!(finished, Err(VaultError::Malformed));
        assert!(vault.finish_login("alice", 1, &bytes).is_err());
        let (client, _) = VaultLogin::start("alice", "pass", rng).unwrap();
        assert_eq!(client.finish(&bytes, rng).err(), Some(ClientError::Malformed));
        let (client, _) = VaultRegistration::start("alice", "pass", rng).unwrap();
        let key = BackupKey::generate(rng);
        assert_eq!(client.finish(&bytes, &key, rng), Err(ClientError::Malformed));
    }
    assert_eq!(account(&mut vault, "alice"), before);
    vault.forget("alice").unwrap();
    assert!(recover(&mut vault, "alice", "pass").is_err());
}

/// A store whose process dies right after a commit.
struct Crashing {
    inner: SqliteVaultStore,
    crash: bool,
}

impl VaultStore for Crashing {
    type Error = &'static str;

    fn setup(
        &mut self,
        new: impl FnOnce() -> Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, Self::Error> {
        self.inner.setup(new).map_err(|_| "sqlite")
    }

    fn update<T>(
        &mut self,
        account: &str,
        change: impl FnOnce(&mut Option<Account>) -> T,
    ) -> Result<T, Self::Error> {
        let result = self.inner.update(account, change).map_err(|_| "sqlite")?;
        if self.crash { Err("crashed") } else { Ok(result) }
    }

    fn delete_exhausted(&mut self) -> Result<(), Self::Error> {
        self.inner.delete_exhausted().map_err(|_| "sqlite")
    }
}

#[test]
fn a_crash_between_counting_and_answering_costs_the_attempt_and_a_restart_gives_none_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let key = BackupKey::generate(&mut OsRng::default());
    let open = |crash| {
        let store = Crashing { inner: SqliteVaultStore::open(&path).unwrap(), crash };
        Vault::open(store, LIMITS, &mut OsRng::default()).unwrap()
    };
    register(&mut open(false), "alice", "pass", &key).unwrap();
    assert_eq!(recover(&mut open(false), "alice", "pass").unwrap(), key, "over a restart");
    for left in [2, 1] {
        assert_eq!(guess(&mut open(true), "alice"), Err(VaultError::Store("crashed")));
        let mut vault = open(false);
        assert_eq!(account(&mut vault, "alice").attempts_left, left);
    }
    assert_eq!(guess(&mut open(true), "alice"), Err(VaultError::Store("crashed")));
    // opened again, a vault deletes what has no attempts left
    let mut vault = open(false);
    assert_eq!(account(&mut vault, "alice").record, None);
    let exhausted = Err(Failed::Vault(VaultError::Exhausted));
    assert_eq!(recover(&mut vault, "alice", "pass"), exhausted);
    let file = std::fs::read(&path).unwrap();
    assert!(!file.windows(32).any(|window| window == key.secret().expose()));
}

#[test]
fn concurrent_logins_of_several_vaults_on_one_file_share_one_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let limits = Limits { attempts: 12, reopenings: 0 };
    let open = || {
        let store = SqliteVaultStore::open(&path).unwrap();
        Vault::open(store, limits, &mut OsRng::default()).unwrap()
    };
    register(&mut open(), "alice", "pass", &BackupKey::generate(&mut OsRng::default())).unwrap();
    let answered: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mut vault = open();
                scope.spawn(move || (0..8).filter(|_| guess(&mut vault, "alice").is_ok()).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(answered, 12, "32 were asked for");
    assert_eq!(account(&mut open(), "alice").record, None);
}
