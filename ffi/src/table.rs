//! Handles. A handle is a number that this table knows, never a pointer: so a stale, copied, forged or
//! mistaken one is found out, whatever the program did with it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use crate::buffer::Wiped;
use crate::guard::Failure;
use crate::status::SandiStatus;
use crate::sync::{Guard, Lock};

/// What a handle is of; the top byte of its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    Buffer = 1,
    Store = 2,
    Device = 3,
    Received = 4,
    Upload = 5,
    Sink = 6,
    GroupSent = 7,
    Trust = 8,
    Stream = 9,
}

/// What a handle stands for.
enum Entry {
    Object(Arc<dyn Any + Send + Sync>),
    #[allow(dead_code)] // kept where the program reads it, and wiped when it is dropped
    Buffer(Wiped),
}

struct Slot {
    /// Of the entry that is in it, or will be next.
    generation: u32,
    kind: u8,
    entry: Option<Entry>,
}

struct Table {
    slots: Vec<Slot>,
    /// Slots without an entry, all of which can take one.
    free: Vec<u32>,
}

static TABLE: Lock<Table> = Lock::new(Table { slots: Vec::new(), free: Vec::new() });

/// Slots are numbered with 24 bits.
const SLOTS_MAX: usize = 0xFF_FFFF;

// The number: kind (8 bits), generation (32, never 0), slot (24).
const GENERATION_SHIFT: u32 = 24;
const KIND_SHIFT: u32 = 56;

fn pack(kind: u8, generation: u32, slot: u32) -> u64 {
    u64::from(kind) << KIND_SHIFT | u64::from(generation) << GENERATION_SHIFT | u64::from(slot)
}

/// The parts of a number: kind, generation, slot.
#[allow(clippy::cast_possible_truncation)] // shifted and masked to the width
const fn unpack(id: u64) -> (u8, u32, usize) {
    let slot = (id & 0xFF_FFFF) as usize;
    ((id >> KIND_SHIFT) as u8, (id >> GENERATION_SHIFT) as u32, slot)
}

impl Table {
    fn insert(&mut self, kind: Kind, entry: Entry) -> Result<u64, (SandiStatus, Entry)> {
        let at = match self.free.pop() {
            Some(at) => at,
            None => match u32::try_from(self.slots.len()) {
                Ok(at) if self.slots.len() < SLOTS_MAX => {
                    self.slots.push(Slot { generation: 1, kind: 0, entry: None });
                    at
                }
                _ => return Err((SandiStatus::TooManyHandles, entry)),
            },
        };
        let Some(slot) = self.slots.get_mut(at as usize) else {
            return Err((SandiStatus::TooManyHandles, entry));
        };
        slot.kind = kind as u8;
        slot.entry = Some(entry);
        Ok(pack(slot.kind, slot.generation, at))
    }

    /// The slot of a handle of that kind.
    fn find(&mut self, kind: Kind, id: u64) -> Result<&mut Slot, SandiStatus> {
        let (kind_of_id, generation, at) = unpack(id);
        let slot = self.slots.get_mut(at).ok_or(SandiStatus::InvalidHandle)?;
        if generation == 0 || generation > slot.generation {
            return Err(SandiStatus::InvalidHandle);
        }
        if kind_of_id != kind as u8 {
            return Err(SandiStatus::WrongHandle);
        }
        if generation < slot.generation || slot.entry.is_none() {
            return Err(SandiStatus::StaleHandle);
        }
        // A number that was altered may name a slot by another kind.
        if slot.kind == kind as u8 { Ok(slot) } else { Err(SandiStatus::InvalidHandle) }
    }

    fn remove(&mut self, kind: Kind, id: u64) -> Result<Entry, SandiStatus> {
        let slot = self.find(kind, id)?;
        let entry = slot.entry.take().ok_or(SandiStatus::StaleHandle)?;
        // After its last generation a slot is not used again: no number ever comes back.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            let (_, _, at) = unpack(id);
            if let Ok(at) = u32::try_from(at) {
                self.free.push(at);
            }
        }
        Ok(entry)
    }
}

fn table() -> Result<Guard<'static, Table>, Failure> {
    TABLE.lock()
}

/// An object behind a handle.
pub(crate) trait Object: Send + Sized + 'static {
    /// The kind of its handles.
    const KIND: Kind;
}

/// Puts an object into the table.
pub(crate) fn insert<T: Object>(object: T) -> Result<u64, Failure> {
    let object: Arc<dyn Any + Send + Sync> = Arc::new(Lock::new(object));
    let inserted = table()?.insert(T::KIND, Entry::Object(object));
    // What could not be put in is dropped here, where the table is not locked any more.
    inserted.map_err(|(status, _)| status.into())
}

/// The object of a handle. It lives as long as it is used, whoever frees the handle meanwhile.
pub(crate) fn get<T: Object>(id: u64) -> Result<Arc<Lock<T>>, Failure> {
    let found = match &table()?.find(T::KIND, id)?.entry {
        Some(Entry::Object(object)) => Arc::clone(object),
        _ => return Err(SandiStatus::StaleHandle.into()),
    };
    found.downcast().map_err(|_| SandiStatus::InvalidHandle.into())
}

/// Frees a handle. No handle (0) is freed already.
pub(crate) fn free(kind: Kind, id: u64) -> Result<(), Failure> {
    if id == 0 {
        return Ok(());
    }
    // The lock is released before the object is dropped: that may call the program.
    let removed = table()?.remove(kind, id);
    drop(removed?);
    Ok(())
}

/// Puts bytes into the table: their handle, and where they are. Wiped when freed.
pub(crate) fn insert_buffer(bytes: Wiped) -> Result<(u64, *const u8), Failure> {
    let data = bytes.0.as_ptr();
    let inserted = table()?.insert(Kind::Buffer, Entry::Buffer(bytes));
    inserted.map(|id| (id, data)).map_err(|(status, _)| status.into())
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        impl $name {
            /// No handle: what an output holds after a failure.
            pub(crate) const NONE: Self = Self { id: 0 };
        }
    )*};
}

/// A store: where a device's records live. May be used from any thread; calls wait for each other.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiStore {
    /// 0: none.
    pub id: u64,
}

/// A device. May be used from any thread; calls wait for each other.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiDevice {
    /// 0: none.
    pub id: u64,
}

/// A message that decrypted. May be used from any thread; calls wait for each other.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiReceived {
    /// 0: none.
    pub id: u64,
}

/// What to upload to the server. May be used from any thread; calls wait for each other.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiUpload {
    /// 0: none.
    pub id: u64,
}

/// Where a callback puts bytes. Valid until the callback returns, in the thread that called it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiSink {
    /// 0: none.
    pub id: u64,
}

/// What became of a message to a group. May be used from any thread; calls wait for each other.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiGroupSent {
    /// 0: none.
    pub id: u64,
}

/// Whom to trust with sealed sender. May be used from any thread; calls wait for each other.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiTrust {
    /// 0: none.
    pub id: u64,
}

/// A file that is encrypted, verified or decrypted. May be used from any thread; calls wait for each
/// other, and their order is the stream's.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SandiStream {
    /// 0: none.
    pub id: u64,
}

handles!(
    SandiStore,
    SandiDevice,
    SandiReceived,
    SandiUpload,
    SandiGroupSent,
    SandiTrust,
    SandiStream,
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Kind, Object, SandiStatus, free, get, insert, insert_buffer, pack, unpack};
    use alloc::vec;

    #[derive(Debug)]
    struct Thing;

    impl Object for Thing {
        const KIND: Kind = Kind::Trust;
    }

    #[derive(Debug)]
    struct Other;

    impl Object for Other {
        const KIND: Kind = Kind::Upload;
    }

    #[test]
    fn a_number_keeps_its_parts() {
        assert_eq!(unpack(pack(9, u32::MAX, 0xFF_FFFF)), (9, u32::MAX, 0xFF_FFFF));
    }

    #[test]
    fn a_freed_handle_is_stale_for_ever() {
        let id = insert(Thing).unwrap();
        assert!(get::<Thing>(id).is_ok());
        free(Kind::Trust, id).unwrap();
        for _ in 0..10 {
            assert_eq!(get::<Thing>(id).unwrap_err().status, SandiStatus::StaleHandle);
            assert_eq!(free(Kind::Trust, id).unwrap_err().status, SandiStatus::StaleHandle);
            free(Kind::Trust, insert(Thing).unwrap()).unwrap();
        }
    }

    #[test]
    fn a_handle_of_another_kind_is_refused() {
        let id = insert(Thing).unwrap();
        assert_eq!(get::<Other>(id).unwrap_err().status, SandiStatus::WrongHandle);
        let (buffer, _) = insert_buffer(vec![1].into()).unwrap();
        assert_eq!(get::<Thing>(buffer).unwrap_err().status, SandiStatus::WrongHandle);
        let altered = id & !(0xFF << 56) | (Kind::Upload as u64) << 56;
        assert_eq!(get::<Other>(altered).unwrap_err().status, SandiStatus::InvalidHandle);
        free(Kind::Trust, id).unwrap();
        free(Kind::Buffer, buffer).unwrap();
    }
}
