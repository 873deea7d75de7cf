//! Address binding (spec 04 §2.3).

use crate::address::Address;

/// Length of an address binding: two times a fixed-width service id (17) and a device id (1), in bytes.
pub const ADDRESS_BINDING_LENGTH: usize = 36;

/// The 36 bytes that bind a message to its sender and its recipient; `None` unless both names are
/// service ids. A name's spelling (upper or lower case) makes no difference.
#[must_use]
pub fn address_binding(
    sender: &Address,
    recipient: &Address,
) -> Option<[u8; ADDRESS_BINDING_LENGTH]> {
    // addresses = fixed17(sender service id) || sender device || fixed17(recipient ..) || recipient device
    let mut out = [0; ADDRESS_BINDING_LENGTH];
    let (left, right) = out.split_at_mut(ADDRESS_BINDING_LENGTH / 2);
    for (half, address) in [(left, sender), (right, recipient)] {
        let (device, id) = half.split_last_mut()?;
        id.copy_from_slice(&address.service_id()?.to_fixed_width());
        *device = address.device().get();
    }
    Some(out)
}
