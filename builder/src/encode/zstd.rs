//! RFC 8878 at level 19 (22 gains nothing on files of this size), in windows that browsers take.

/// RFC 9659 allows no more than 8 MiB for `Content-Encoding: zstd`.
const WINDOW_BITS: u32 = 23;

/// The smallest form.
pub(super) fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(19).ok()?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::WindowLog(window_bits(bytes.len()))).ok()?;
    compressor.compress(bytes).ok()
}

/// No larger than the bytes need, so that the reader allocates no more than that either; 10 is the format's least.
fn window_bits(length: usize) -> u32 {
    length.max(1).next_power_of_two().trailing_zeros().clamp(10, WINDOW_BITS)
}
