//! The user's side: registering a root key under a password, and getting it back.

use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, RegistrationResponse,
};
use sandi::backup::{BackupKey, BackupKeyWrap, WrappedBackupKey};
use sandi::rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::ClientError;
use crate::suite::{CONTEXT, Rng, Suite, identifiers, stretching};

/// A registration that has begun.
pub struct VaultRegistration {
    state: ClientRegistration<Suite>,
    password: Zeroizing<Vec<u8>>,
    account: String,
}

impl VaultRegistration {
    /// Begins. The second value is for [`begin_registration`](crate::BackupVaultServer::begin_registration).
    ///
    /// # Errors
    ///
    /// [`ClientError::Malformed`] for a password that OPAQUE cannot take.
    pub fn start(
        account: &str,
        password: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), ClientError> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let started = ClientRegistration::<Suite>::start(&mut Rng(rng), &password)
            .map_err(|_| ClientError::Malformed)?;
        let request = started.message.serialize().to_vec();
        Ok((Self { state: started.state, password, account: account.into() }, request))
    }

    /// Wraps `key` and gives what is for [`finish_registration`](crate::BackupVaultServer::finish_registration).
    /// Log in right afterwards: it proves that the password works, and gives the account all its attempts.
    ///
    /// # Errors
    ///
    /// [`ClientError::Malformed`].
    pub fn finish(
        self,
        response: &[u8],
        key: &BackupKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, ClientError> {
        let malformed = |_| ClientError::Malformed;
        let response = RegistrationResponse::deserialize(response).map_err(malformed)?;
        let stretching = stretching().ok_or(ClientError::Malformed)?;
        let parameters =
            ClientRegistrationFinishParameters::new(identifiers(&self.account), Some(&stretching));
        let done = self
            .state
            .finish(&mut Rng(rng), &self.password, response, parameters)
            .map_err(malformed)?;
        let wrapped = BackupKeyWrap::from_opaque_export_key(&done.export_key)
            .and_then(|wrap| wrap.wrap(key, self.account.as_bytes(), rng))
            .map_err(|_| ClientError::Malformed)?;
        Ok([wrapped.as_bytes().as_slice(), &done.message.serialize()].concat())
    }
}

/// A login that has begun.
pub struct VaultLogin {
    state: ClientLogin<Suite>,
    password: Zeroizing<Vec<u8>>,
    account: String,
}

impl VaultLogin {
    /// Begins. The second value is for [`begin_login`](crate::BackupVaultServer::begin_login).
    ///
    /// # Errors
    ///
    /// [`ClientError::Malformed`] for a password that OPAQUE cannot take.
    pub fn start(
        account: &str,
        password: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), ClientError> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let started = ClientLogin::<Suite>::start(&mut Rng(rng), &password)
            .map_err(|_| ClientError::Malformed)?;
        let request = started.message.serialize().to_vec();
        Ok((Self { state: started.state, password, account: account.into() }, request))
    }

    /// Checks the password with the vault's answer. The second value is for
    /// [`finish_login`](crate::BackupVaultServer::finish_login), which gives what the first one opens.
    ///
    /// # Errors
    ///
    /// [`ClientError::WrongPassword`]; [`ClientError::Malformed`].
    pub fn finish(
        self,
        response: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(VaultUnlock, Vec<u8>), ClientError> {
        let response =
            CredentialResponse::deserialize(response).map_err(|_| ClientError::Malformed)?;
        let stretching = stretching().ok_or(ClientError::Malformed)?;
        let parameters = ClientLoginFinishParameters::new(
            Some(CONTEXT),
            identifiers(&self.account),
            Some(&stretching),
        );
        let done = self
            .state
            .finish(&mut Rng(rng), &self.password, response, parameters)
            .map_err(|_| ClientError::WrongPassword)?;
        let wrap = BackupKeyWrap::from_opaque_export_key(&done.export_key)
            .map_err(|_| ClientError::Malformed)?;
        let finalization = done.message.serialize().to_vec();
        Ok((VaultUnlock { wrap, account: self.account }, finalization))
    }
}

/// What the right password gives.
pub struct VaultUnlock {
    wrap: BackupKeyWrap,
    account: String,
}

impl VaultUnlock {
    /// Opens what the vault has given out.
    ///
    /// # Errors
    ///
    /// [`ClientError::Rejected`].
    pub fn open(&self, wrapped: &[u8]) -> Result<BackupKey, ClientError> {
        WrappedBackupKey::from_bytes(wrapped)
            .and_then(|wrapped| self.wrap.unwrap(&wrapped, self.account.as_bytes()))
            .map_err(|_| ClientError::Rejected)
    }
}
