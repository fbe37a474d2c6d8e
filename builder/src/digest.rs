//! SHA-256 of bytes, and what names and manifests make of it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::link::placeholder::{Algorithm, FINGERPRINT_LENGTH};

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Digits of 256 bits in base 36.
const DIGITS: usize = 50;

impl Digest {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// Of several pieces, each with its length before it, so that no two lists of pieces are alike.
    pub fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Digest {
        let mut sha = Sha256::new();
        for piece in pieces {
            sha.update((piece.len() as u64).to_be_bytes());
            sha.update(piece);
        }
        Digest(sha.finalize().into())
    }

    /// Lower-case hexadecimal.
    pub fn hex(&self) -> String {
        let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// What stands in names: the first characters of the digest as a number in base 36, with its leading zeros.
    /// Lower case only, for file systems that fold case.
    pub fn fingerprint(&self) -> String {
        let mut number = self.0;
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            let mut rest = 0;
            for byte in &mut number {
                let dividend = (rest << 8) | u32::from(*byte);
                *byte = u8::try_from(dividend / 36).expect("a remainder below 36 keeps the quotient below 256");
                rest = dividend % 36;
            }
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[rest as usize];
        }
        digits[..FINGERPRINT_LENGTH].iter().map(|&digit| char::from(digit)).collect()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.hex())
    }
}

/// What an `integrity` attribute says of some bytes (Subresource Integrity).
pub fn integrity(bytes: &[u8], algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Sha256 => format!("sha256-{}", STANDARD.encode(Sha256::digest(bytes))),
        Algorithm::Sha384 => format!("sha384-{}", STANDARD.encode(Sha384::digest(bytes))),
        Algorithm::Sha512 => format!("sha512-{}", STANDARD.encode(Sha512::digest(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_the_first_digits_in_base_36() {
        // Made with Python: the digest as an integer in base 36, padded to 50 digits.
        assert_eq!(Digest([0; 32]).fingerprint(), "0000000000");
        assert_eq!(Digest([255; 32]).fingerprint(), "6dp5qcb22i");
        assert_eq!(Digest::of(b"abc").fingerprint(), "4nb7oofka9");
    }
}
