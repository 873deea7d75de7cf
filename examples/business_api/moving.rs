//! The business moves to a company that runs its endpoint, and every customer's app tells its user before
//! the next message leaves.

use sandi::business::{
    ActualActors, EncryptionStatus, HostStorage, IdentityInfo, Notice, Signal, StatusChange,
    hosting_name,
};
use sandi::{Address, Error};

use crate::customers::{Customer, Customers};
use crate::host::Host;
use crate::{Result, now};

/// What the server sends to the customers' apps.
pub(crate) struct Announcement<'a> {
    /// The business's devices: the one that they know, and the hosted one.
    pub(crate) devices: [&'a Address; 2],
    /// The business profile, encoded.
    pub(crate) profile: Vec<u8>,
}

/// How the customers took it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Told {
    /// Attempts to send that were refused because the user had not agreed.
    pub(crate) refused: usize,
    /// Users who were told who can read the chat now.
    pub(crate) told: usize,
    /// Of these, by an app that learned it only because its message was refused.
    pub(crate) late: usize,
    /// Users who agreed.
    pub(crate) agreed: usize,
}

impl<'a> Announcement<'a> {
    /// A solution provider reads and answers, from now on.
    pub(crate) fn third_party(own: &'a Address, hosted: &'a Address) -> Self {
        let info = IdentityInfo {
            host_storage: Some(HostStorage::OnPremise),
            actual_actors: Some(ActualActors::ThirdParty),
            privacy_mode_time: now().as_secs(),
            ..IdentityInfo::default()
        };
        Self { devices: [own, hosted], profile: info.encode() }
    }
}

impl Customers {
    /// Tells everybody, one in ten late.
    ///
    /// # Errors
    ///
    /// If anything could be sent before its user had agreed.
    pub(crate) fn be_told(&mut self, host: &mut Host, news: &Announcement<'_>) -> Result<Told> {
        // The hosted endpoint has an identity key of its own: a new session for everybody.
        self.meet(host)?;
        let mut told = Told::default();
        for (number, customer) in self.all.iter_mut().enumerate() {
            // What arrives late arrives after the app has tried: a hosted address is reason enough to refuse.
            let is_late = number.is_multiple_of(10);
            if !is_late {
                customer.learn(news, &mut told)?;
            }
            for device in news.devices {
                // The address that the customer has known all along says nothing by itself.
                if is_late && device != host.address() {
                    continue;
                }
                customer.be_refused(device, &mut told)?;
            }
            if is_late {
                told.late += 1;
                customer.learn(news, &mut told)?;
                customer.be_refused(host.address(), &mut told)?;
            }
            customer.agree(host.address(), &mut told)?;
        }
        Ok(told)
    }
}

impl Customer {
    /// The app takes the announcement in, and shows what has changed.
    fn learn(&mut self, news: &Announcement<'_>, told: &mut Told) -> Result<()> {
        let profile = IdentityInfo::decode(&news.profile)?;
        let mut signals = vec![Signal::addresses(news.devices, now())];
        signals.extend(Signal::profile(&profile));
        let name = hosting_name(news.devices[0]);
        let changes = self.device.learn_hosting(&[&name], &signals, now(), &mut self.rng)?;
        for change in changes {
            let StatusChange { to, assessment, .. } = &change;
            // That it is hosted is proven by the address; by whom, the server says.
            assert_eq!(*to, EncryptionStatus::HostedByThirdParty);
            assert!(assessment.is_proven_hosted(), "the hosted address proves it");
            let expected = [Notice::StartsHostedByThirdParty, Notice::ChangedToThirdParty];
            assert!(change.notice().is_some_and(|notice| expected.contains(&notice)));
            self.shown = Some(*to);
            told.told += 1;
        }
        Ok(())
    }

    /// The user writes, and the app may not send it.
    fn be_refused(&mut self, device: &Address, told: &mut Told) -> Result<()> {
        match self.device.encrypt(device, b"is anybody there?", now(), &mut self.rng) {
            Err(error) if error.protocol() == Some(Error::ConsentRequired) => told.refused += 1,
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("a message could leave before its user had agreed".into()),
        }
        Ok(())
    }

    /// The user agrees to what the app has shown.
    fn agree(&mut self, host: &Address, told: &mut Told) -> Result<()> {
        let shown = self.shown.ok_or("nothing was shown")?;
        let name = hosting_name(host);
        self.device.consent_to_hosting(&name, shown, now(), &mut self.rng)?;
        told.agreed += 1;
        Ok(())
    }
}
