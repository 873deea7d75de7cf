//! The field GF(2^16) of the erasure code, spec 10 §5.
//!
//! Elements are 16-bit integers, bit `i` being the coefficient of `x^i`; addition is XOR; the
//! reduction polynomial is `x^16 + x^12 + x^3 + x + 1`.
//!
//! # Constant time
//!
//! What the code computes on is public: header, `ek`, `ct1`, `ct2` and chunk indices all travel in
//! the clear. The field is constant-time all the same: there is no table, and no branch or memory
//! index depends on an element. Bits select by mask, and exponents are constants. The erasure code
//! itself branches and indexes by chunk indices and by weights, which follow from chunk indices alone;
//! never by the data of rows.

/// `x^16 mod (x^16 + x^12 + x^3 + x + 1)`.
const REDUCTION: u16 = 0x100b;

/// How many elements one [`Lanes`] holds: those of a 32-byte chunk.
pub(super) const LANES: usize = 16;

/// Sixteen elements that are worked on side by side; the compiler turns this into vector code.
pub(super) type Lanes = [u16; LANES];

/// All ones when the top bit is set, else zeros.
#[inline]
const fn top_bit_mask(a: u16) -> u16 {
    // The sign of the number, spread by an arithmetic shift.
    (a.cast_signed() >> 15).cast_unsigned()
}

/// `a·x`.
#[inline]
const fn double(a: u16) -> u16 {
    // x^15 becomes x^16, which is folded.
    (a << 1) ^ (top_bit_mask(a) & REDUCTION)
}

/// `a·b`. For compile-time tables and tests; the coders use [`multiply_lanes`].
pub(super) const fn multiply(a: u16, b: u16) -> u16 {
    // Horner over the bits of b, the highest first.
    let mut product = 0;
    let mut bit = 16;
    while bit > 0 {
        bit = const_decrement(bit);
        let selected = 0_u16.wrapping_sub((b >> bit) & 1);
        product = double(product) ^ (a & selected);
    }
    product
}

/// `1/a`, and 0 for 0: `a^(2^16 - 2)`.
pub(super) const fn invert(a: u16) -> u16 {
    // 2^16 - 2 is the sum of 2^1 .. 2^15.
    let mut square = a;
    let mut product = 1;
    let mut step = 15_u32;
    while step > 0 {
        step = const_decrement(step);
        square = multiply(square, square);
        product = multiply(product, square);
    }
    product
}

/// `n - 1` for loop counters in constant functions.
const fn const_decrement(n: u32) -> u32 {
    n.saturating_sub(1)
}

/// `a·x` in every lane.
#[inline]
pub(super) fn double_lanes(a: &mut Lanes) {
    for lane in a {
        *lane = double(*lane);
    }
}

/// `a·b` in every lane.
#[inline]
pub(super) fn multiply_lanes(a: &Lanes, b: &Lanes) -> Lanes {
    let mut product = [0_u16; LANES];
    // Horner over the bits of b, the highest first: it is always the top bit of `bits`.
    let mut bits = *b;
    for _ in 0..16 {
        for ((lane, a), bits) in product.iter_mut().zip(a).zip(&mut bits) {
            *lane = double(*lane) ^ (a & top_bit_mask(*bits));
            *bits <<= 1;
        }
    }
    product
}

/// `1/a` in every lane, and 0 where `a` is 0.
pub(super) fn invert_lanes(a: &Lanes) -> Lanes {
    let mut square = *a;
    let mut product = [1; LANES];
    for _ in 0..15 {
        square = multiply_lanes(&square, &square);
        product = multiply_lanes(&product, &square);
    }
    product
}
