//! Adapters between a [`Transform`] and `std::io`.

use alloc::vec::Vec;
use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{MediaKeys, MediaRange, Sidecar, Transform};
use crate::error::Error;

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

/// An error of this crate as an I/O error of kind `InvalidData`; `get_ref` gives it back.
fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Reads all of `from`, transforms it, and writes it to `to`. `progress` is told how many bytes of
/// the input are done.
///
/// # Errors
///
/// An error of `from` or `to`, or one of this crate as `InvalidData`.
pub fn transform<T: Transform>(
    mut transform: T,
    from: &mut impl Read,
    to: &mut impl Write,
    mut progress: impl FnMut(u64),
) -> io::Result<T::Report> {
    let mut input = alloc::vec![0; BUFFER];
    let mut output = Vec::with_capacity(BUFFER.saturating_mul(2));
    let mut done: u64 = 0;
    loop {
        let n = match from.read(&mut input) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        transform.update(input.get(..n).unwrap_or_default(), &mut output).map_err(invalid)?;
        to.write_all(&output)?;
        output.clear();
        done = done.saturating_add(u64::try_from(n).unwrap_or(0));
        progress(done);
    }
    while transform.drain(&mut output).map_err(invalid)? {
        to.write_all(&output)?;
        output.clear();
    }
    let report = transform.finish(&mut output).map_err(invalid)?;
    to.write_all(&output)?;
    Ok(report)
}

/// Reads the transformed bytes of another reader. At the end of input the transform is finished and
/// [`report`](Self::report) is there.
///
/// **End of file means success:** until then `read` has not returned 0 without an error.
pub struct TransformReader<R, T: Transform> {
    inner: R,
    transform: Option<T>,
    input: Vec<u8>,
    output: Vec<u8>,
    position: usize,
    report: Option<T::Report>,
}

impl<R: Read, T: Transform> TransformReader<R, T> {
    /// Puts `transform` behind `inner`.
    pub fn new(inner: R, transform: T) -> Self {
        Self {
            inner,
            transform: Some(transform),
            input: alloc::vec![0; BUFFER],
            output: Vec::with_capacity(BUFFER.saturating_mul(2)),
            position: 0,
            report: None,
        }
    }

    /// What the transform reported, once the end was read.
    pub const fn report(&self) -> Option<&T::Report> {
        self.report.as_ref()
    }

    /// Fills `output` with at least one byte, unless the end is reached.
    fn fill(&mut self) -> io::Result<()> {
        while self.position == self.output.len() && self.report.is_none() {
            self.output.clear();
            self.position = 0;
            let Some(transform) = &mut self.transform else {
                return Err(invalid(Error::Rejected));
            };
            let n = match self.inner.read(&mut self.input) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let result = if n > 0 {
                transform.update(self.input.get(..n).unwrap_or_default(), &mut self.output)
            } else {
                match transform.drain(&mut self.output) {
                    Ok(true) => Ok(()),
                    Ok(false) => match self.transform.take() {
                        Some(transform) => transform
                            .finish(&mut self.output)
                            .map(|report| self.report = Some(report)),
                        None => Err(Error::Rejected),
                    },
                    Err(error) => Err(error),
                }
            };
            if let Err(error) = result {
                self.transform = None;
                self.output.clear();
                return Err(invalid(error));
            }
        }
        Ok(())
    }
}

impl<R: Read, T: Transform> Read for TransformReader<R, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.fill()?;
        let ready = self.output.get(self.position..).unwrap_or_default();
        let n = ready.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(ready) {
            *to = *from;
        }
        self.position = self.position.saturating_add(n);
        Ok(n)
    }
}

/// Writes transformed bytes to another writer. [`finish`](Self::finish) must be called; dropped
/// without it, the output is cut short and will not verify.
pub struct TransformWriter<W, T> {
    inner: W,
    transform: T,
    output: Vec<u8>,
}

impl<W: Write, T: Transform> TransformWriter<W, T> {
    /// Puts `transform` before `inner`.
    pub fn new(inner: W, transform: T) -> Self {
        Self { inner, transform, output: Vec::with_capacity(BUFFER.saturating_mul(2)) }
    }

    /// Ends the stream, flushes, and gives the writer back.
    ///
    /// # Errors
    ///
    /// An error of the writer, or one of this crate as `InvalidData`.
    pub fn finish(mut self) -> io::Result<(W, T::Report)> {
        while self.transform.drain(&mut self.output).map_err(invalid)? {
            self.inner.write_all(&self.output)?;
            self.output.clear();
        }
        let report = self.transform.finish(&mut self.output).map_err(invalid)?;
        self.inner.write_all(&self.output)?;
        self.inner.flush()?;
        Ok((self.inner, report))
    }
}

impl<W: Write, T: Transform> Write for TransformWriter<W, T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let piece = buffer.get(..BUFFER).unwrap_or(buffer);
        self.transform.update(piece, &mut self.output).map_err(invalid)?;
        self.inner.write_all(&self.output)?;
        self.output.clear();
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads and seeks in an encrypted file of the WhatsApp format, verifying each 64 KiB window with the
/// side-car before it gives out its plaintext. Holds one window.
pub struct MediaReader<R> {
    inner: R,
    keys: MediaKeys,
    sidecar: Sidecar,
    blob_length: u64,
    position: u64,
    /// The window that `plain` is, and its plaintext.
    window: Option<u64>,
    plain: Vec<u8>,
}

impl<R: Read + Seek> MediaReader<R> {
    /// Opens the blob that `inner` holds from its start to its end.
    ///
    /// # Errors
    ///
    /// An error of `inner`.
    pub fn new(mut inner: R, keys: MediaKeys, sidecar: Sidecar) -> io::Result<Self> {
        let blob_length = inner.seek(SeekFrom::End(0))?;
        Ok(Self { inner, keys, sidecar, blob_length, position: 0, window: None, plain: Vec::new() })
    }

    /// Loads the window that holds `position`.
    fn load(&mut self, index: u64) -> io::Result<()> {
        if self.window == Some(index) {
            return Ok(());
        }
        self.window = None;
        self.plain.clear();
        let window = u64::try_from(BUFFER).unwrap_or(u64::MAX);
        let start = index.saturating_mul(window);
        let range = MediaRange::new(start..start.saturating_add(window), self.blob_length)
            .map_err(invalid)?;
        let fetch = range.fetch();
        let length = fetch.end.saturating_sub(fetch.start);
        let mut bytes =
            alloc::vec![0; usize::try_from(length).map_err(|_| invalid(Error::Rejected))?];
        self.inner.seek(SeekFrom::Start(fetch.start))?;
        self.inner.read_exact(&mut bytes)?;
        range.open(&self.keys, &self.sidecar, &bytes, &mut self.plain).map_err(invalid)?;
        self.window = Some(index);
        Ok(())
    }
}

impl<R: Read + Seek> Read for MediaReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let window = u64::try_from(BUFFER).unwrap_or(u64::MAX);
        if buffer.is_empty() || self.position >= self.blob_length {
            return Ok(0);
        }
        self.load(self.position.checked_div(window).unwrap_or(0))?;
        let offset = self.position.checked_rem(window).unwrap_or(0);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let ready = self.plain.get(offset..).unwrap_or_default();
        let n = ready.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(ready) {
            *to = *from;
        }
        self.position = self.position.saturating_add(u64::try_from(n).unwrap_or(0));
        Ok(n)
    }
}

impl<R: Read + Seek> Seek for MediaReader<R> {
    /// Seeks in the plaintext. From the end needs the last window, whose padding tells the length.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let outside = || io::Error::from(io::ErrorKind::InvalidInput);
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => {
                let window = u64::try_from(BUFFER).unwrap_or(u64::MAX);
                let last = self.blob_length.saturating_sub(11).checked_div(window).unwrap_or(0);
                self.load(last)?;
                let plain = u64::try_from(self.plain.len()).unwrap_or(0);
                last.saturating_mul(window).saturating_add(plain).checked_add_signed(offset)
            }
        };
        self.position = position.ok_or_else(outside)?;
        Ok(self.position)
    }
}
