//! What valgrind's memcheck is told: client requests, as its headers define them, without a C compiler.

use std::arch::asm;
use std::mem::size_of_val;

const MAKE_MEM_UNDEFINED: usize = 0x4D43_0001;
const MAKE_MEM_DEFINED: usize = 0x4D43_0002;
const COUNT_ERRORS: usize = 0x1201;
const RUNNING_ON_VALGRIND: usize = 0x1001;

/// A client request: rotations that come to nothing, and an exchange of a register with itself. Outside
/// valgrind it gives 0.
fn request(number: usize, first: usize, second: usize) -> usize {
    let arguments = [number, first, second, 0, 0, 0];
    let result: usize;
    // SAFETY: outside valgrind the instructions change no register but rdx, which is given; under valgrind
    // the request reads the six arguments, which live until it is over.
    unsafe {
        asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inlateout("rdx") 0usize => result,
            options(nostack),
        );
    }
    result
}

pub fn runs() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0) != 0
}

/// How many errors memcheck has reported so far.
pub fn errors() -> usize {
    request(COUNT_ERRORS, 0, 0)
}

/// From here on memcheck reports every branch and every index that depends on these bytes.
pub fn secret(bytes: &[u8]) {
    request(MAKE_MEM_UNDEFINED, bytes.as_ptr() as usize, bytes.len());
}

/// What is written here is known to the attacker: it was sent, or it is the outcome.
pub fn public<T: ?Sized>(value: &T) {
    request(MAKE_MEM_DEFINED, std::ptr::from_ref(value).cast::<u8>() as usize, size_of_val(value));
}
