//! What a vault keeps, and where.

use std::collections::BTreeMap;
use std::convert::Infallible;

use zeroize::Zeroizing;

/// What a vault knows of one account, also of one that has never registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Logins that may still begin before one succeeds.
    pub attempts_left: u32,
    /// How often the account was reopened.
    pub reopened: u32,
    /// How many registrations there were: by it, a login notices that another one came in between.
    pub registrations: u32,
    /// What OPAQUE derives the OPRF key from. Random, and another one for every registration.
    pub credential: [u8; 16],
    /// What is registered.
    pub record: Option<VaultRecord>,
}

/// What a registration leaves behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VaultRecord {
    /// OPAQUE's own record: the envelope and the public keys.
    pub opaque: Vec<u8>,
    /// The root key, wrapped under OPAQUE's export key.
    pub wrapped: Vec<u8>,
}

/// Durable accounts.
///
/// # What an author must guarantee
///
/// [`update`](Self::update) reads, changes and writes one account as one transaction, of all handles on the same
/// data, and has made it durable when it returns `Ok`. The attempt limit rests on that. When it fails, the
/// change may have been made or not.
pub trait VaultStore {
    /// What can go wrong.
    type Error;

    /// The vault's secret setup. The first call keeps what `new` gives; from then on, it is always that.
    ///
    /// # Errors
    ///
    /// The store's own.
    fn setup(
        &mut self,
        new: impl FnOnce() -> Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, Self::Error>;

    /// Changes an account, `None` where there is none, and returns what `change` returns.
    ///
    /// # Errors
    ///
    /// The store's own.
    fn update<T>(
        &mut self,
        account: &str,
        change: impl FnOnce(&mut Option<Account>) -> T,
    ) -> Result<T, Self::Error>;

    /// Deletes the records of all accounts that have no attempts left.
    ///
    /// # Errors
    ///
    /// The store's own.
    fn delete_exhausted(&mut self) -> Result<(), Self::Error>;
}

/// In memory: for tests. It forgets all counts with the process.
#[derive(Default)]
pub struct MemoryVaultStore {
    setup: Option<Zeroizing<Vec<u8>>>,
    accounts: BTreeMap<String, Account>,
}

impl VaultStore for MemoryVaultStore {
    type Error = Infallible;

    fn setup(
        &mut self,
        new: impl FnOnce() -> Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, Self::Error> {
        Ok(self.setup.get_or_insert_with(new).clone())
    }

    fn update<T>(
        &mut self,
        account: &str,
        change: impl FnOnce(&mut Option<Account>) -> T,
    ) -> Result<T, Self::Error> {
        let mut entry = self.accounts.remove(account);
        let result = change(&mut entry);
        if let Some(entry) = entry {
            self.accounts.insert(account.into(), entry);
        }
        Ok(result)
    }

    fn delete_exhausted(&mut self) -> Result<(), Self::Error> {
        for account in self.accounts.values_mut().filter(|account| account.attempts_left == 0) {
            account.record = None;
        }
        Ok(())
    }
}
