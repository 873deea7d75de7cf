//! The vault: it counts, and only then answers (spec 24 §5).

use std::collections::BTreeMap;

use opaque_ke::{
    CredentialFinalization, CredentialRequest, RegistrationRequest, RegistrationUpload,
    ServerLogin, ServerLoginParameters, ServerRegistration, ServerSetup,
};
use sandi::backup::WrappedBackupKey;
use sandi::rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::suite::{CONTEXT, Rng, Suite, identifiers};
use crate::{Account, VaultError, VaultRecord, VaultStore};

/// Logins and registrations that have begun and not ended, at most. The oldest are given up.
const BEGUN_MAX: usize = 65_536;

/// How much a vault allows an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Logins that may begin without one that succeeds.
    pub attempts: u32,
    /// How often an account whose attempts are used up may begin anew.
    pub reopenings: u32,
}

impl Default for Limits {
    /// 10 attempts, 2 reopenings. The vendor has published no number.
    fn default() -> Self {
        Self { attempts: 10, reopenings: 2 }
    }
}

/// A login that was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginAnswer {
    /// Which login it is, for [`finish_login`](BackupVaultServer::finish_login).
    pub login: u64,
    /// For [`VaultLogin::finish`](crate::VaultLogin::finish).
    pub response: Vec<u8>,
    /// Attempts that are left should this one fail.
    pub attempts_left: u32,
}

/// A key vault as a front end sees it. Which account a request is for is the front end's to know.
pub trait BackupVaultServer {
    /// What its store can fail with.
    type Error;

    /// Answers the first message of a registration by the account's authenticated owner. Nothing is replaced yet.
    ///
    /// # Errors
    ///
    /// [`VaultError::Malformed`].
    fn begin_registration(
        &mut self,
        account: &str,
        request: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, VaultError<Self::Error>>;

    /// Stores the record, durably, and with it deletes the one before. The attempts left are as before.
    ///
    /// # Errors
    ///
    /// [`VaultError::Malformed`], [`VaultError::NotBegun`], [`VaultError::Exhausted`], [`VaultError::Store`].
    fn finish_registration(
        &mut self,
        account: &str,
        upload: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(), VaultError<Self::Error>>;

    /// Takes an attempt off, durably, and then answers. An account that has not registered is answered, too.
    ///
    /// # Errors
    ///
    /// [`VaultError::Exhausted`]: the record is deleted by now. [`VaultError::Malformed`],
    /// [`VaultError::Corrupt`], [`VaultError::Store`].
    fn begin_login(
        &mut self,
        account: &str,
        request: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<LoginAnswer, VaultError<Self::Error>>;

    /// Verifies that the client knows the password, gives the account all its attempts back, and returns
    /// the wrapped root key. Other logins of the account that have begun are given up.
    ///
    /// # Errors
    ///
    /// [`VaultError::WrongPassword`], [`VaultError::Malformed`], [`VaultError::NotBegun`],
    /// [`VaultError::Store`].
    fn finish_login(
        &mut self,
        account: &str,
        login: u64,
        finalization: &[u8],
    ) -> Result<Vec<u8>, VaultError<Self::Error>>;

    /// Deletes the record: the owner turns password protection off. The attempts left are as before.
    ///
    /// # Errors
    ///
    /// [`VaultError::Store`].
    fn forget(&mut self, account: &str) -> Result<(), VaultError<Self::Error>>;
}

/// A vault over a store. Logins that have begun are in memory: a restart gives them up, and has counted them.
pub struct Vault<S> {
    store: S,
    setup: ServerSetup<Suite>,
    limits: Limits,
    next: u64,
    logins: BTreeMap<u64, Login>,
    /// The credential of a registration that has begun, by account.
    registrations: BTreeMap<String, (u64, [u8; 16])>,
}

struct Login {
    account: String,
    registrations: u32,
    state: ServerLogin<Suite>,
}

impl<S: VaultStore> Vault<S> {
    /// Opens the vault of a store; a new one draws its secret setup. Records without attempts are deleted.
    ///
    /// # Errors
    ///
    /// [`VaultError::Corrupt`], [`VaultError::Store`].
    pub fn open(
        mut store: S,
        limits: Limits,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, VaultError<S::Error>> {
        let new = || Zeroizing::new(ServerSetup::<Suite>::new(&mut Rng(rng)).serialize().to_vec());
        let setup = store.setup(new).map_err(VaultError::Store)?;
        let setup = ServerSetup::deserialize(&setup).map_err(|_| VaultError::Corrupt)?;
        store.delete_exhausted().map_err(VaultError::Store)?;
        let (logins, registrations) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { store, setup, limits, next: 0, logins, registrations })
    }

    /// Lets an account that has used its attempts up begin anew: without a record, with all attempts. Only
    /// for an owner who was authenticated by other means: whoever guesses the password of the next record,
    /// often the same as that of the last, gets new attempts by it.
    ///
    /// # Errors
    ///
    /// [`VaultError::ReopenedTooOften`], [`VaultError::Store`].
    pub fn reopen(&mut self, account: &str) -> Result<(), VaultError<S::Error>> {
        self.give_up(account);
        let limits = self.limits;
        let reopened = self.store.update(account, |entry| match entry {
            Some(entry) if entry.attempts_left == 0 => {
                if entry.reopened >= limits.reopenings {
                    return false;
                }
                entry.reopened = entry.reopened.saturating_add(1);
                entry.attempts_left = limits.attempts;
                entry.record = None;
                true
            }
            // attempts are left: there is nothing to reopen
            _ => true,
        });
        match reopened.map_err(VaultError::Store)? {
            true => Ok(()),
            false => Err(VaultError::ReopenedTooOften),
        }
    }

    /// The store.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.saturating_add(1);
        self.next
    }

    fn give_up(&mut self, account: &str) {
        self.logins.retain(|_, login| login.account != account);
    }
}

/// An account that was never seen.
fn new_account(limits: Limits, credential: [u8; 16]) -> Account {
    let attempts_left = limits.attempts;
    Account { attempts_left, reopened: 0, registrations: 0, credential, record: None }
}

fn random_credential(rng: &mut impl CryptoRng) -> [u8; 16] {
    let mut credential = [0; 16];
    rng.fill_bytes(&mut credential);
    credential
}

impl<S: VaultStore> BackupVaultServer for Vault<S> {
    type Error = S::Error;

    fn begin_registration(
        &mut self,
        account: &str,
        request: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, VaultError<S::Error>> {
        let request = RegistrationRequest::<Suite>::deserialize(request)
            .map_err(|_| VaultError::Malformed)?;
        // An OPRF key of its own: this answer says nothing about the record that is there.
        let credential = random_credential(rng);
        let answer = ServerRegistration::start(&self.setup, request, &credential)
            .map_err(|_| VaultError::Malformed)?;
        let number = self.number();
        self.registrations.insert(account.into(), (number, credential));
        if self.registrations.len() > BEGUN_MAX {
            let oldest = self.registrations.iter().min_by_key(|(_, (number, _))| *number);
            if let Some(oldest) = oldest.map(|(account, _)| account.clone()) {
                self.registrations.remove(&oldest);
            }
        }
        Ok(answer.message.serialize().to_vec())
    }

    fn finish_registration(
        &mut self,
        account: &str,
        upload: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(), VaultError<S::Error>> {
        let (wrapped, upload) =
            upload.split_at_checked(WrappedBackupKey::LENGTH).ok_or(VaultError::Malformed)?;
        let upload =
            RegistrationUpload::<Suite>::deserialize(upload).map_err(|_| VaultError::Malformed)?;
        let (_, credential) = self.registrations.remove(account).ok_or(VaultError::NotBegun)?;
        let opaque = ServerRegistration::finish(upload).serialize().to_vec();
        let record = VaultRecord { opaque, wrapped: wrapped.to_vec() };
        self.give_up(account);
        let (limits, unseen) = (self.limits, random_credential(rng));
        let stored = self.store.update(account, |entry| {
            let entry = entry.get_or_insert_with(|| new_account(limits, unseen));
            if entry.attempts_left == 0 {
                return false;
            }
            entry.registrations = entry.registrations.saturating_add(1);
            entry.credential = credential;
            entry.record = Some(record);
            true
        });
        if stored.map_err(VaultError::Store)? { Ok(()) } else { Err(VaultError::Exhausted) }
    }

    fn begin_login(
        &mut self,
        account: &str,
        request: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<LoginAnswer, VaultError<S::Error>> {
        let request =
            CredentialRequest::<Suite>::deserialize(request).map_err(|_| VaultError::Malformed)?;
        // Counted first: when `update` returns, the attempt is durably gone.
        let (limits, unseen) = (self.limits, random_credential(rng));
        let counted = self.store.update(account, |entry| {
            let entry = entry.get_or_insert_with(|| new_account(limits, unseen));
            match entry.attempts_left.checked_sub(1) {
                Some(left) => {
                    entry.attempts_left = left;
                    Some(entry.clone())
                }
                None => {
                    entry.record = None;
                    None
                }
            }
        });
        let Some(entry) = counted.map_err(VaultError::Store)? else {
            self.give_up(account);
            return Err(VaultError::Exhausted);
        };
        // Without a record, OPAQUE answers with one that nobody has: it looks like any other.
        let record = entry.record.map(|record| ServerRegistration::deserialize(&record.opaque));
        let record = record.transpose().map_err(|_| VaultError::Corrupt)?;
        let started = ServerLogin::start(
            &mut Rng(rng),
            &self.setup,
            record,
            request,
            &entry.credential,
            ServerLoginParameters { context: Some(CONTEXT), identifiers: identifiers(account) },
        )
        .map_err(|_| VaultError::Malformed)?;
        let login = self.number();
        let registrations = entry.registrations;
        let begun = Login { account: account.into(), registrations, state: started.state };
        self.logins.insert(login, begun);
        if self.logins.len() > BEGUN_MAX {
            self.logins.pop_first();
        }
        let response = started.message.serialize().to_vec();
        Ok(LoginAnswer { login, response, attempts_left: entry.attempts_left })
    }

    fn finish_login(
        &mut self,
        account: &str,
        login: u64,
        finalization: &[u8],
    ) -> Result<Vec<u8>, VaultError<S::Error>> {
        let finalization =
            CredentialFinalization::deserialize(finalization).map_err(|_| VaultError::Malformed)?;
        match self.logins.get(&login) {
            Some(begun) if begun.account == account => {}
            _ => return Err(VaultError::NotBegun),
        }
        let begun = self.logins.remove(&login).ok_or(VaultError::NotBegun)?;
        let parameters =
            ServerLoginParameters { context: Some(CONTEXT), identifiers: identifiers(account) };
        if begun.state.finish(finalization, parameters).is_err() {
            if !self.logins.values().any(|other| other.account == account) {
                // the last attempt, if it was: what is left is of no use to anyone
                let deleted = self.store.update(account, |entry| {
                    if let Some(entry) = entry.as_mut().filter(|entry| entry.attempts_left == 0) {
                        entry.record = None;
                    }
                });
                deleted.map_err(VaultError::Store)?;
            }
            return Err(VaultError::WrongPassword);
        }
        self.give_up(account);
        let limits = self.limits;
        let wrapped = self.store.update(account, |entry| {
            // the record of this login, not one that came since
            let entry = entry.as_mut().filter(|e| e.registrations == begun.registrations)?;
            let record = entry.record.as_ref()?;
            entry.attempts_left = limits.attempts;
            Some(record.wrapped.clone())
        });
        wrapped.map_err(VaultError::Store)?.ok_or(VaultError::NotBegun)
    }

    fn forget(&mut self, account: &str) -> Result<(), VaultError<S::Error>> {
        self.give_up(account);
        let forgotten = self.store.update(account, |entry| {
            if let Some(entry) = entry {
                entry.record = None;
            }
        });
        forgotten.map_err(VaultError::Store)
    }
}
