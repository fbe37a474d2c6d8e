//! RFC 7932 at quality 11 with a window of 16 MiB.

use brotli::enc::BrotliEncoderParams;

/// The largest window that every browser takes (RFC 7932 §9.1 allows no more).
const WINDOW_BITS: i32 = 24;

/// The smallest form.
pub(super) fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    let parameters =
        BrotliEncoderParams { quality: 11, lgwin: WINDOW_BITS, size_hint: bytes.len(), ..Default::default() };
    let mut encoded = Vec::with_capacity(bytes.len() / 3);
    brotli::BrotliCompress(&mut &*bytes, &mut encoded, &parameters).ok()?;
    Some(encoded)
}
