//! The erasure code: a byte string becomes an unlimited stream of 32-byte chunks, spec 10 §5.
//!
//! A message of `N` rows of 32 bytes is sixteen polynomials of degree below `N`, one per lane (two
//! bytes of each row); row `x` holds their values at `x`. Chunk `i` holds their values at `i`, so the
//! first `N` chunks are the rows themselves and any `N` different chunks give the message back.
//!
//! Both coders keep rows, never polynomials. All lanes share their points, so the Lagrange weights
//! of a target are computed once and applied to whole rows. Nothing here allocates.

use super::gf16::{LANES, Lanes, double_lanes, invert, invert_lanes, multiply, multiply_lanes};

/// Length of a chunk's data and of a row, in bytes.
pub(super) const CHUNK: usize = 32;

/// One row of a message, or the data of one chunk.
pub(super) type Row = [u8; CHUNK];

/// Rows of `header || MAC`.
pub(super) const HEADER_ROWS: usize = 3;
/// Rows of `ct2 || MAC`.
pub(super) const CT2_ROWS: usize = 5;
/// Rows of `ct1`.
pub(super) const CT1_ROWS: usize = 30;
/// Rows of `ek`.
pub(super) const EK_ROWS: usize = 36;

/// A point of all sixteen lanes: what one message carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    /// The point's `x`.
    pub(super) index: u16,
    /// The sixteen values, big-endian, lane 0 first.
    pub(super) data: Row,
}

/// Where the stream over a message of `N` rows stands. The message itself lives with its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Encoder<const N: usize> {
    /// Counter of chunks produced, modulo 2^32; the next chunk's index is its low half.
    pub(super) idx: u32,
    /// Whether an index of `N` or more was ever produced: fixes the form of the exported state only.
    pub(super) coefficient_form: bool,
}

impl<const N: usize> Encoder<N> {
    /// A stream that starts at the message's first row.
    pub(super) const fn new() -> Self {
        Self { idx: 0, coefficient_form: false }
    }

    /// The next chunk of `message`, which is `N` rows long, and the stream after it.
    pub(super) fn next(&self, message: &[Row]) -> (Chunk, Self) {
        // Next chunk has index idx mod 65536.
        let [_, _, high, low] = self.idx.to_be_bytes();
        let index = u16::from_be_bytes([high, low]);
        let systematic = message.get(usize::from(index)).copied();
        let after = Self {
            idx: self.idx.wrapping_add(1),
            coefficient_form: self.coefficient_form || systematic.is_none(),
        };
        let data = systematic.unwrap_or_else(|| evaluate::<N>(message, index));
        (Chunk { index, data }, after)
    }
}

/// The points of a message of `N` rows received so far: always fewer than `N`.
///
/// At `34·N` bytes it has its final size from the start, so that receiving does not allocate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Decoder<const N: usize> {
    /// How many points are held.
    held: usize,
    /// Their indices, in order of arrival; 0 beyond `held`.
    indices: [u16; N],
    /// Their data; zeros beyond `held`.
    rows: [Row; N],
}

impl<const N: usize> Decoder<N> {
    /// No points.
    pub(super) const fn new() -> Self {
        Self { held: 0, indices: [0; N], rows: [[0; CHUNK]; N] }
    }

    /// A decoder that holds one point.
    pub(super) fn with(chunk: &Chunk) -> Self {
        let mut decoder = Self::new();
        decoder.absorb(chunk);
        decoder
    }

    /// The points held, in order of arrival.
    pub(super) fn points(&self) -> impl Iterator<Item = (u16, &Row)> {
        self.indices.iter().copied().zip(&self.rows).take(self.held)
    }

    /// How many points are held.
    pub(super) const fn len(&self) -> usize {
        self.held
    }

    /// Adds a point; one with the same index replaces the old one. A point that would be the `N`-th
    /// is not kept: with it the message is complete, see [`complete`](Self::complete).
    pub(super) fn absorb(&mut self, chunk: &Chunk) {
        let place = self.place(chunk.index);
        if place.saturating_add(1) >= N && place == self.held {
            return;
        }
        if let (Some(index), Some(row)) = (self.indices.get_mut(place), self.rows.get_mut(place)) {
            *index = chunk.index;
            *row = chunk.data;
            self.held = self.held.max(place.saturating_add(1));
        }
    }

    /// The message, if `chunk` is the last point needed.
    pub(super) fn complete(&self, chunk: &Chunk) -> Option<[Row; N]> {
        let place = self.place(chunk.index);
        if place != self.held || place.saturating_add(1) != N {
            return None;
        }
        let mut indices = self.indices;
        let mut rows = self.rows;
        *indices.get_mut(place)? = chunk.index;
        *rows.get_mut(place)? = chunk.data;
        Some(interpolate(&indices, &rows))
    }

    /// Where the point `index` is, or would be appended.
    fn place(&self, index: u16) -> usize {
        self.points().position(|(held, _)| held == index).unwrap_or(self.held)
    }
}

// -- Lagrange -------------------------------------------------------------------------------------

/// Groups of sixteen elements that hold one element per row: three are enough for `ek`.
const GROUPS: usize = EK_ROWS.div_ceil(LANES);

/// One element per row, sixteen to a group; the slots beyond the last row are filled up.
type PerRow = [Lanes; GROUPS];

/// The value at `index`, outside the message, of the polynomials through its rows.
fn evaluate<const N: usize>(message: &[Row], index: u16) -> Row {
    // w_j = prod_{m != j} (x - m) / (j - m): the denominators are constants for points 0 .. N-1.
    let mut differences = [[1; LANES]; GROUPS];
    for (slot, point) in differences.as_flattened_mut().iter_mut().zip(0_u16..).take(N) {
        *slot = index ^ point;
    }
    let numerators = exclusive_products::<N>(&differences);
    let weights = multiply_groups::<N>(&numerators, &Inverses::<N>::OF_SYSTEMATIC_DENOMINATORS);
    combine(weights.as_flattened(), message)
}

/// The message through `N` points with different indices: rows that are present are copied, the
/// others are interpolated.
fn interpolate<const N: usize>(indices: &[u16; N], rows: &[Row; N]) -> [Row; N] {
    let mut message = [[0; CHUNK]; N];
    let mut missing = [true; N];
    for (index, row) in indices.iter().zip(rows) {
        let place = usize::from(*index);
        if let (Some(to), Some(missing)) = (message.get_mut(place), missing.get_mut(place)) {
            *to = *row;
            *missing = false;
        }
    }
    if !missing.contains(&true) {
        return message;
    }

    // D_i = prod_{m != i} (x_i - x_m), once for all targets.
    let mut points = [[0; LANES]; GROUPS];
    for (slot, index) in points.as_flattened_mut().iter_mut().zip(indices) {
        *slot = *index;
    }
    let mut inverses = [[1; LANES]; GROUPS];
    for m in indices {
        let mut factors = [[1; LANES]; GROUPS];
        let slots = factors.as_flattened_mut().iter_mut().zip(points.as_flattened());
        for (factor, point) in slots.take(N) {
            let difference = point ^ m;
            // The factor of a point with itself, 0, becomes 1; all others differ from 0.
            *factor = difference | u16::from(difference == 0);
        }
        inverses = multiply_groups::<N>(&inverses, &factors);
    }
    for group in inverses.iter_mut().take(N.div_ceil(LANES)) {
        *group = invert_lanes(group);
    }

    for ((to, missing), target) in message.iter_mut().zip(missing).zip(0_u16..) {
        if missing {
            let mut differences = [[1; LANES]; GROUPS];
            for (slot, index) in differences.as_flattened_mut().iter_mut().zip(indices) {
                *slot = target ^ index;
            }
            let numerators = exclusive_products::<N>(&differences);
            let weights = multiply_groups::<N>(&numerators, &inverses);
            *to = combine(weights.as_flattened(), rows);
        }
    }
    message
}

/// For every slot the product of all *other* slots, of `N` slots filled up with ones.
fn exclusive_products<const N: usize>(factors: &PerRow) -> PerRow {
    let [a, b, c] = factors;
    // Down the groups: what the other groups hold in the same lane, and the product of all.
    let (others, all) = match N.div_ceil(LANES) {
        0 | 1 => ([[1; LANES]; GROUPS], *a),
        2 => ([*b, *a, [1; LANES]], multiply_lanes(a, b)),
        _ => {
            let ab = multiply_lanes(a, b);
            ([multiply_lanes(b, c), multiply_lanes(a, c), ab], multiply_lanes(&ab, c))
        }
    };
    // Across the lanes, in a butterfly: after distance 1, 2, 4, 8 a lane's `total` covers its block
    // of 2, 4, 8, 16 lanes and its `across` the same block without itself.
    let mut total = all;
    let mut across = swap_lanes(&total, 1);
    total = multiply_lanes(&total, &across);
    for distance in [2, 4, 8] {
        let partner = swap_lanes(&total, distance);
        across = multiply_lanes(&across, &partner);
        if distance < 8 {
            total = multiply_lanes(&total, &partner);
        }
    }
    let mut products = others;
    for group in products.iter_mut().take(N.div_ceil(LANES)) {
        *group = multiply_lanes(group, &across);
    }
    products
}

/// Each lane's value from the lane at this distance, a power of two.
fn swap_lanes(lanes: &Lanes, distance: usize) -> Lanes {
    let mut swapped = [1; LANES];
    for (lane, slot) in swapped.iter_mut().enumerate() {
        *slot = lanes.get(lane ^ distance).copied().unwrap_or(1);
    }
    swapped
}

/// Products slot by slot, for as many groups as `N` slots fill.
fn multiply_groups<const N: usize>(a: &PerRow, b: &PerRow) -> PerRow {
    let mut product = [[1; LANES]; GROUPS];
    for ((to, a), b) in product.iter_mut().zip(a).zip(b).take(N.div_ceil(LANES)) {
        *to = multiply_lanes(a, b);
    }
    product
}

/// A row, as words to be added by XOR.
type Words = [u64; CHUNK / 8];

/// `sum_j weights[j]·rows[j]` in every lane.
///
/// The rows are taken four at a time, with a table of their sixteen sums. Its index is made of bits of
/// the weights, which follow from chunk indices alone: public, as the rows are.
fn combine(weights: &[u16], rows: &[Row]) -> Row {
    // selected[bit] is the sum of the rows whose weight has this bit.
    let mut selected = [[0_u64; CHUNK / 8]; 16];
    for (weights, rows) in weights.chunks(4).zip(rows.chunks(4)) {
        let mut sums = [[0_u64; CHUNK / 8]; 16];
        let mut picks = 0_u64;
        for (place, (weight, row)) in weights.iter().zip(rows).enumerate() {
            let row = words_of(row);
            // The sums with this row are those without it, and the row.
            let (without, with) = sums.split_at_mut(1 << place);
            for (without, with) in without.iter().zip(with) {
                for ((with, without), row) in with.iter_mut().zip(without).zip(row) {
                    *with = without ^ row;
                }
            }
            picks |= spread(*weight) << place;
        }
        for selected in &mut selected {
            let sum = sums.get((picks & 15) as usize).copied().unwrap_or_default();
            picks >>= 4;
            for (to, word) in selected.iter_mut().zip(sum) {
                *to ^= word;
            }
        }
    }
    // Horner over the bits: sum = sum·x + selected.
    let mut sum: Lanes = [0; LANES];
    for words in selected.iter().rev() {
        double_lanes(&mut sum);
        sum = add(&sum, &lanes_of(&row_of_words(words)));
    }
    row_of(&sum)
}

/// The bits of a weight, four places apart.
const fn spread(weight: u16) -> u64 {
    let mut bits = weight as u64;
    bits = (bits | bits << 24) & 0x0000_00ff_0000_00ff;
    bits = (bits | bits << 12) & 0x000f_000f_000f_000f;
    bits = (bits | bits << 6) & 0x0303_0303_0303_0303;
    (bits | bits << 3) & 0x1111_1111_1111_1111
}

/// A row's bytes as they lie; adding is bitwise.
fn words_of(row: &Row) -> Words {
    let mut words = [0; CHUNK / 8];
    for (word, bytes) in words.iter_mut().zip(row.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    words
}

/// The inverse of [`words_of`].
fn row_of_words(words: &Words) -> Row {
    let mut row = [0; CHUNK];
    for (bytes, word) in row.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_ne_bytes();
    }
    row
}

/// Compile-time constants of a code with `N` rows.
struct Inverses<const N: usize>;

impl<const N: usize> Inverses<N> {
    /// `1 / prod_{m != j} (j - m)` for the systematic points `0 .. N-1`; 0 beyond them.
    #[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)] // evaluated while compiling
    #[allow(clippy::cast_possible_truncation)] // N is at most 48
    const OF_SYSTEMATIC_DENOMINATORS: PerRow = {
        assert!(N > 0 && N <= GROUPS * LANES, "the rows fit the groups");
        let mut inverses = [[0; LANES]; GROUPS];
        let mut j = 0;
        while j < N {
            let mut denominator = 1;
            let mut m = 0;
            while m < N {
                if m != j {
                    denominator = multiply(denominator, (j ^ m) as u16);
                }
                m += 1;
            }
            inverses[j / LANES][j % LANES] = invert(denominator);
            j += 1;
        }
        inverses
    };
}

// -- coefficient form -----------------------------------------------------------------------------

/// The polynomials' coefficients, constant term first: coefficient `c` of every lane in row `c`.
/// Only exported states need them (spec 10 §5, "Encoder representation").
pub(super) fn coefficients<const N: usize>(message: &[Row]) -> [Row; N] {
    // Divided differences give Newton's form, which is then expanded from the top.
    let mut newton: [Lanes; N] = [[0; LANES]; N];
    for (to, row) in newton.iter_mut().zip(message) {
        *to = lanes_of(row);
    }
    for order in 1..N {
        // f[j-order .. j] = (f[j-order+1 .. j] - f[j-order .. j-1]) / (x_j - x_{j-order}), from the
        // last j down, so that the values of the order before are still there.
        for j in (order..N).rev() {
            let (Some(from), Some(difference)) =
                (j.checked_sub(1), j.checked_sub(order).map(|start| start ^ j))
            else {
                continue;
            };
            let scale = invert(u16::try_from(difference).unwrap_or(0));
            let below = newton.get(from).copied().unwrap_or([0; LANES]);
            if let Some(at) = newton.get_mut(j) {
                *at = multiply_lanes(&add(at, &below), &[scale; LANES]);
            }
        }
    }
    // p = (..(n_{N-1}·(x - x_{N-2}) + n_{N-2})·(x - x_{N-3}) + ..) + n_0
    let mut polynomial: [Lanes; N] = [[0; LANES]; N];
    for (j, constant) in newton.iter().enumerate().rev() {
        let point = u16::try_from(j).unwrap_or(0);
        let mut carry = *constant;
        for at in &mut polynomial {
            let scaled = multiply_lanes(at, &[point; LANES]);
            let shifted = *at;
            *at = add(&carry, &scaled);
            carry = shifted;
        }
    }
    polynomial.map(|lanes| row_of(&lanes))
}

/// The rows of the message whose coefficients are given: the inverse of [`coefficients`].
pub(super) fn evaluate_coefficients<const N: usize>(coefficients: &[Row; N]) -> [Row; N] {
    let mut message = [[0; CHUNK]; N];
    for (point, to) in (0_u16..).zip(message.iter_mut()) {
        let mut value = [0; LANES];
        for coefficient in coefficients.iter().rev() {
            value = add(&multiply_lanes(&value, &[point; LANES]), &lanes_of(coefficient));
        }
        *to = row_of(&value);
    }
    message
}

/// The sixteen elements of a row.
fn lanes_of(row: &Row) -> Lanes {
    let mut lanes = [0; LANES];
    for (lane, bytes) in lanes.iter_mut().zip(row.as_chunks::<2>().0) {
        *lane = u16::from_be_bytes(*bytes);
    }
    lanes
}

/// The row of sixteen elements.
fn row_of(lanes: &Lanes) -> Row {
    let mut row = [0; CHUNK];
    for (bytes, lane) in row.as_chunks_mut::<2>().0.iter_mut().zip(lanes) {
        *bytes = lane.to_be_bytes();
    }
    row
}

/// The sum in every lane.
fn add(a: &Lanes, b: &Lanes) -> Lanes {
    let mut sum = *a;
    for (sum, b) in sum.iter_mut().zip(b) {
        *sum ^= b;
    }
    sum
}
